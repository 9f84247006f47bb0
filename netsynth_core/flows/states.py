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
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

STATES: Final = ("S0", "S1", "SF", "REJ", "S2", "S3", "RSTO", "RSTR", "RSTOS0", "RSTRH", "SH", "SHR", "OTH")

_INACTIVE, _PARTIAL, _SYN_SENT, _SYN_ACK_SENT, _ESTABLISHED, _CLOSED, _RESET, _ACTIVE = range(8)


def state_of(originator: int, responder: int) -> str:
    """The code of two endpoint states.

    Parameters
    ----------
    originator, responder
        0 inactive, 1 partial (heard without SYN), 2 SYN sent, 3 SYN-ACK sent, 4 established, 5 closed (FIN), 6 reset;
        7 active for protocols other than TCP.
    """
    unheard_o = originator in (_INACTIVE, _PARTIAL)
    unheard_r = responder in (_INACTIVE, _PARTIAL)
    if _ACTIVE in (originator, responder):
        if originator != _ACTIVE:
            return "SHR"
        return "SF" if responder == _ACTIVE else "S0"
    if responder == _RESET:
        if originator in (_SYN_SENT, _SYN_ACK_SENT):
            return "REJ"
        return "RSTRH" if unheard_o else "RSTR"
    if originator == _RESET:
        return "RSTOS0" if unheard_r else "RSTO"
    if originator == _CLOSED and responder == _CLOSED:
        return "SF"
    if originator == _CLOSED:
        return "SH" if unheard_r else "S2"
    if responder == _CLOSED:
        return "SHR" if unheard_o else "S3"
    if originator == _SYN_SENT and responder == _INACTIVE:
        return "S0"
    return "S1" if originator == _ESTABLISHED and responder == _ESTABLISHED else "OTH"


def states_of(originator: NDArray[np.uint8], responder: NDArray[np.uint8]) -> NDArray[np.object_]:
    """The codes of many flows."""
    table = np.array([state_of(o, r) for o in range(8) for r in range(8)], dtype=object)
    codes: NDArray[np.object_] = table[originator.astype(np.int64) * 8 + responder]
    return codes
