"""How a capture is read: what the analyst may choose."""

from netsynth_core.params import Params, parameter


class ReadOptions(Params):
    """Choices in reading a capture."""

    tunnels: bool = parameter(
        False, "Look one level into VXLAN, GRE and IP in IP: the packets inside are read instead of those around them."
    )
