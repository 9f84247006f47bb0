"""Default conversations, for flows without an automaton.

TCP by state: S0 unanswered SYNs; REJ SYN, RST; RSTOS0 SYN, RST; SH SYN, FIN; SHR and RSTRH the responder's side of
these; S1 handshake and data; SF both FINs behind, S2 the originator's, S3 the responder's; RSTO and RSTR a reset
behind; OTH data from the middle. UDP and ICMP: requests and answers in turn. Counts are the flow's. About half of the
packets between opening and end carry data (more, and the FIN too, where segments would be too large), the flow's bytes
are shared over them, and the gaps add up to its duration.
"""

import numpy as np
from numpy.typing import NDArray

from netsynth_core.forge.columns import Draft
from netsynth_core.forge.plan import Plan


def empty_draft(counts: NDArray[np.int64]) -> Draft:
    """A draft with room for so many packets of each flow."""
    offsets = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    n = int(offsets[-1])
    return Draft(
        offsets=offsets,
        direction=np.zeros(n, np.uint8),
        flags=np.zeros(n, np.uint8),
        size=np.zeros(n, np.int32),
        gap=np.zeros(n, np.int64),
        kind=np.zeros(n, np.uint8),
        token=np.full(n, -1, np.int32),
        copy=np.zeros(n, np.int32),
        carried=np.full(n, -1, np.int32),
    )


def draft_default(plan: Plan, flows: NDArray[np.int64], draft: Draft, which: NDArray[np.int64]) -> None:
    """Draft the flows ``flows[which]`` of the plan into the slices `which` of a draft."""
    from netsynth_core.forge.drafting._kernels import draft_defaults

    columns, dialects = plan.columns, plan.dialects
    tcp = columns.proto[flows] == 6
    plain = np.where(columns.ipv6[flows], 40, 20) + np.where(tcp, 20, 8)
    draft_defaults(
        which,
        columns.seed[flows],
        columns.proto[flows],
        plan.state_code[flows],
        plan.handshake[flows],
        plan.fwd[flows],
        plan.bwd[flows],
        plan.bytes[flows],
        plan.duration[flows],
        dialects.syn_length[flows],
        dialects.later_length[flows],
        plain.astype(np.int64),
        plan.limit[flows],
        draft,
    )
