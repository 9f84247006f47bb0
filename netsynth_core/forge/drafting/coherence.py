"""Which runs of symbols are connections that TCP endpoints could have had, and which connection state they end in.

A learnt automaton may have merged places before and after the end of a connection. As a constraint of conditioned
sampling this machine keeps to runs that end in the flow's state and in which nobody speaks before the handshake or
after closing.
"""

from collections.abc import Sequence

from netsynth_core.flows.states import STATES, state_of
from netsynth_core.flows.symbols import Symbol

_INACTIVE, _PARTIAL, _SYN_SENT, _SYN_ACK_SENT, _ESTABLISHED, _CLOSED, _RESET = range(7)


def heard(flags: str, mine: int, peer: int) -> tuple[int, int]:
    """The endpoint states of the sender and of the other after a packet with these flags.

    The rules are those by which `netsynth_core.flows.metering` tells connection states.
    """
    if "S" in flags:
        if "A" in flags:
            if peer == _SYN_SENT:
                mine, peer = _ESTABLISHED, _ESTABLISHED
            elif mine == _INACTIVE:
                mine = _SYN_ACK_SENT
        elif mine in (_INACTIVE, _PARTIAL):
            if peer == _SYN_ACK_SENT:
                mine, peer = _ESTABLISHED, _ESTABLISHED
            else:
                mine = _SYN_SENT
    elif "R" not in flags:
        if mine == _INACTIVE:
            mine = _ESTABLISHED if peer == _SYN_SENT else _PARTIAL
            if peer == _SYN_SENT:
                peer = _ESTABLISHED
        elif mine == _SYN_SENT and peer == _SYN_SENT:
            mine, peer = _ESTABLISHED, _ESTABLISHED
    if "R" in flags:
        if not (mine == _CLOSED and peer == _CLOSED):
            mine = _RESET
    elif "F" in flags and mine != _RESET:
        mine = _CLOSED
    return mine, peer


class Coherence:
    """The constraint: endpoint states are its memory.

    Parameters
    ----------
    symbols
        The alphabet's symbols, in its order.
    state
        The connection state runs must end in.
    """

    start = 0

    def __init__(self, symbols: Sequence[Symbol], *, state: str) -> None:
        self._symbols = tuple(symbols)
        self._state = state if state in STATES else "OTH"

    def step(self, state: int, symbol: int) -> int:
        """The endpoint states after a symbol, as 8 * originator + responder; -1 when it cannot come now."""
        originator, responder = divmod(state, 8)
        read = self._symbols[symbol]
        forward = read.direction == ">"
        mine, peer = (originator, responder) if forward else (responder, originator)
        if _splits(read.flags, mine, peer) or not _coherent(read, mine, peer):
            return -1
        mine, peer = heard(read.flags, mine, peer)
        return mine * 8 + peer if forward else peer * 8 + mine

    def accepts(self, state: int) -> bool:
        """Whether the endpoint states are those of the connection state."""
        return state_of(*divmod(state, 8)) == self._state


def _splits(flags: str, mine: int, peer: int) -> bool:
    """Whether a SYN comes after the end or in the middle, which starts another flow."""
    if "S" not in flags or any(letter in flags for letter in "ARF"):
        return False
    over = _RESET in (mine, peer) or (mine == _CLOSED and peer == _CLOSED)
    return over or mine > _SYN_ACK_SENT or mine == _PARTIAL


def _coherent(symbol: Symbol, mine: int, peer: int) -> bool:
    flags = symbol.flags
    if "S" in flags:
        # a SYN is said again only while nothing came back
        return mine == _INACTIVE or (peer == _INACTIVE and mine in (_SYN_SENT, _SYN_ACK_SENT))
    if "R" in flags:
        return True
    if mine == _RESET:
        return False
    if mine == _CLOSED:
        return "F" not in flags and symbol.payload == "Empty"
    if mine in (_SYN_SENT, _SYN_ACK_SENT):
        return "F" in flags and peer == _INACTIVE
    return not (mine == _INACTIVE and peer == _SYN_SENT)
