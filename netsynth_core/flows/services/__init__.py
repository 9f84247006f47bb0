"""The service of a flow: by its first payloads, else by its port.

`RULES` is the one table; `label_heads` applies it to the first bytes of many flows at once; `server_name` is the name
of the server a client asks for.
"""

from netsynth_core.flows.services.evidence import WIDTH
from netsynth_core.flows.services.hosts import server_name, server_names
from netsynth_core.flows.services.labelling import label_heads, server_ports, services_by_port
from netsynth_core.flows.services.rules import RULES, Rule

__all__ = [
    "RULES",
    "WIDTH",
    "Rule",
    "label_heads",
    "server_name",
    "server_names",
    "server_ports",
    "services_by_port",
]
