"""How a flow ended: connection state codes in Zeek's words.

TCP, from the last state of each endpoint (what it was seen to send):

======  =====================================================================================================
code    meaning
======  =====================================================================================================
S0      the originator sent SYN, nothing came back
S1      established, neither side closed it
SF      established and closed by both sides (also: both FINs seen of a connection whose start was missed)
REJ     SYN answered by RST
S2      established, only the originator sent FIN
S3      established, only the responder sent FIN
RSTO    established, the originator sent RST
RSTR    the responder sent RST after it had been established
RSTOS0  the originator sent SYN and then RST, the responder was not heard
RSTRH   the responder sent SYN-ACK and then RST, the originator was not heard
SH      the originator sent SYN and then FIN, no SYN-ACK was seen
SHR     the responder sent SYN-ACK and then FIN, no SYN was seen
OTH     anything else: no SYN seen, traffic from the middle
======  =====================================================================================================

Other protocols, from who sent: both SF, only the originator S0, only the responder SHR.

The history of a flow has a letter for each thing that happened, in order of its first time; upper case is the
originator, lower case the responder (Zeek's letters):

======  =====================================================================================================
letter  meaning
======  =====================================================================================================
S, H    SYN, SYN-ACK
A       acknowledgement without payload
D       payload
F, R    FIN, RST
T       bytes sent again; told at the 1st, 10th, 100th ... time
W       a window of zero; told likewise
G       bytes that were acknowledged and not captured; told likewise
I, Q    FIN with RST; another combination of SYN, FIN and RST
^       the direction was turned round: the first sender is the responder
======  =====================================================================================================

Zeek's C (bad checksum) is not told: network cards fill checksums in after a capture on the sending machine.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

STATES: Final = ("S0", "S1", "SF", "REJ", "S2", "S3", "RSTO", "RSTR", "RSTOS0", "RSTRH", "SH", "SHR", "OTH")
HISTORY_LETTERS: Final = " SHADFRTWIQG^shadfrtwiqg"
"""History letters by their number in the compiled meter; 0 is none."""

_INACTIVE, _PARTIAL, _SYN_SENT, _SYN_ACK_SENT, _ESTABLISHED, _CLOSED, _RESET, _ACTIVE = range(8)


def state_of(originator: int, responder: int, *, empty: bool = False, only_reset: bool = True) -> str:
    """The code of two endpoint states.

    Parameters
    ----------
    originator, responder
        0 inactive, 1 partial (heard without SYN), 2 SYN sent, 3 SYN-ACK sent, 4 established, 5 closed (FIN), 6 reset;
        7 active for protocols other than TCP.
    empty
        Whether neither side sent payload.
    only_reset
        Whether the originator sent SYN and then RST, and nothing that means more between.
    """
    unheard_o = originator in (_INACTIVE, _PARTIAL)
    unheard_r = responder in (_INACTIVE, _PARTIAL)
    if _ACTIVE in (originator, responder):
        if originator != _ACTIVE:
            return "SHR"
        return "SF" if responder == _ACTIVE else "S0"
    if responder == _RESET:
        if originator in (_SYN_SENT, _SYN_ACK_SENT) or (originator == _RESET and empty):
            return "REJ"
        return "RSTRH" if unheard_o else "RSTR"
    if originator == _RESET:
        if unheard_r:
            return "RSTOS0" if only_reset else "OTH"
        return "RSTO"
    if originator == _CLOSED and responder == _CLOSED:
        return "SF"
    if originator == _CLOSED:
        return "SH" if unheard_r else "S2"
    if responder == _CLOSED:
        return "SHR" if unheard_o else "S3"
    if originator == _SYN_SENT and responder == _INACTIVE:
        return "S0"
    return "S1" if originator == _ESTABLISHED and responder == _ESTABLISHED else "OTH"


_TABLE: Final = np.array(
    [[[STATES.index(state_of(o, r, empty=empty)) for r in range(8)] for o in range(8)] for empty in (False, True)],
    dtype=np.uint8,
)


def state_codes(ends: NDArray[Any], history: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """The codes of many flows as positions in `STATES`.

    Parameters
    ----------
    ends
        (n, 2) side records of the meter, originator first.
    history
        (n, words) their histories.
    """
    late = np.where((ends["next"] - ends["acked"]).astype(np.int32) > 0, ends["next"], ends["acked"])
    size = (late - ends["start"]).astype(np.int64)
    finished = (ends["notes"] & 4 != 0).astype(np.int64)
    empty = (size <= 1 + finished).all(axis=1)
    codes: NDArray[np.uint8] = _TABLE[empty.astype(np.int64), ends["state"][:, 0], ends["state"][:, 1]]
    for row in np.flatnonzero(codes == STATES.index("RSTOS0")).tolist():
        if not _only_reset(history[row]):
            codes[row] = STATES.index("OTH")
    return codes


def _only_reset(words: NDArray[np.uint64]) -> bool:
    """Whether a history is S, then R, with none of H, A, F, G, I, Q of the originator between (Zeek's expression)."""
    letters = [HISTORY_LETTERS[int(word) >> 5 * k & 31] for word in words for k in range(12)]
    text = "".join(letters).strip().removeprefix("^")
    return text.startswith("S") and "R" in text and not set(text[: text.index("R")]) & set("HAFGIQ")
