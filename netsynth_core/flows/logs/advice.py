"""What to do with the output of other tools in forms that hold flows or packets and are not read."""

import re
from typing import Final

from netsynth_core.flows.logs.text import Text

_LOOK: Final = 4096

_KNOWN: Final[tuple[tuple[str, str, str], ...]] = (
    (
        r'"layers"\s*:',
        "the JSON of tshark (-T ek or -T json), which holds packets",
        "Give the capture itself: flows are metered from its packets.",
    ),
    (
        r"(?s)^=+\n[A-Za-z0-9/. ]*(Conversations|Endpoints)",
        "a table of conversations as tshark -z prints it, for people",
        "Give the capture itself, or save the conversations of Wireshark as CSV and read them through a mapping.",
    ),
    (
        r"(?m)^\s*StartTime\s+[^,;\t|]*SrcAddr",
        "the output of ra in columns of blanks",
        "Print it with commas and dates: ra -c , -u -r FILE.",
    ),
    (
        r"(?m)^\s*Date first seen\s+[^,;\t|]*(Duration|Src IP Addr|Event)",
        "the output of nfdump for people",
        "Print it as CSV with its header: nfdump -o csv -r FILE.",
    ),
    (
        r'"(t_first|src4_addr|src6_addr|first)"\s*:',
        "the JSON of nfdump",
        "Print it as CSV with its header: nfdump -o csv -r FILE.",
    ),
    (
        r"^\s*[\[{]",
        "JSON, and no log of Zeek or Suricata",
        "Give JSON lines of Zeek's conn.log or Suricata's eve.json, or write the records as CSV with a header.",
    ),
)
"""Pattern of the beginning, what it is, what to do."""


def advice_on(text: Text) -> tuple[str, str] | None:
    """What a text is and what to give instead, by how it begins; None when nothing is known of it."""
    beginning = text.data[:_LOOK].decode("utf-8", errors="replace")
    return next(((what, hint) for pattern, what, hint in _KNOWN if re.search(pattern, beginning)), None)
