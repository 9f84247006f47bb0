"""`forge_capture`: a flow table and packet-level models become a time-sorted capture."""

import os
import time
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from netsynth_core.errors import NotEnoughData
from netsynth_core.files import atomic_path
from netsynth_core.flows.table import FlowTable
from netsynth_core.forge.addresses import STAND_INS
from netsynth_core.forge.columns import Draft, Frames
from netsynth_core.forge.drafting.models import Drafter, PacketModel
from netsynth_core.forge.payloads.assign import Payloads
from netsynth_core.forge.payloads.learnt import LearntPayloads
from netsynth_core.forge.payloads.makers import MAKERS
from netsynth_core.forge.payloads.strict import UNSERVED
from netsynth_core.forge.plan import Plan, plan_flows
from netsynth_core.forge.report import LEFT_OUT, ForgeReport
from netsynth_core.forge.writer import Writer, host_columns
from netsynth_core.monitor import SILENT, Monitor
from netsynth_core.units import count

BATCH: Final = 200_000
"""About so many packets are held at a time, besides those of flows that overlap."""


def forge_capture(
    flows: FlowTable,
    models: Sequence[PacketModel] = (),
    *,
    path: str | os.PathLike[str],
    rng: np.random.Generator,
    replay: bool = False,
    monitor: Monitor = SILENT,
) -> ForgeReport:
    """Forge a capture from flows.

    Each flow's packets are drawn from the automaton of its service and state, conditioned on its packet counts (see
    `netsynth_core.models.automata.conditioned`); flows without one, or whose counts it cannot make, become default
    conversations (see `netsynth_core.forge.drafting.defaults`) and are counted.

    Parameters
    ----------
    flows
        The flows; service and state may be unset.
    models
        Packet-level models over symbols ``FLAGS_DIRECTION_CLASS``.
    path
        The capture to write: pcap, nanoseconds, Ethernet. It appears whole or not at all.
    rng
        One number is drawn; every flow has its own stream that follows from it and the flow's row.
    replay
        Whether packets repeat the payloads that models store. Off, no payload of the capture is repeated; what
        templates keep is what conversations share (see `netsynth_core.forge.payloads.learnt` for the order).

    Raises
    ------
    NotEnoughData
        When the table has flows and none can be forged. A table without flows becomes a capture without packets.
    InvalidParameter
        When a model's symbols are no packet symbols.
    StorageError
        When the file cannot be written.
    """
    began = time.perf_counter()
    seed = int(rng.integers(0, 2**63, dtype=np.int64))
    plan = plan_flows(flows, seed=seed)
    if len(plan) == 0 and len(flows):
        why = ", ".join(f"{reason.removeprefix(LEFT_OUT)} {number}" for reason, number in plan.left_out.items())
        raise NotEnoughData(
            f"None of the {len(flows)} flows can be forged: {why}.",
            hint="Flows need packets, a protocol among TCP, UDP and ICMP, and two ends of one address family.",
        )
    drafter = Drafter.of(models, plan, seed=seed)
    payloads = Payloads(drafter.tokens, learnt=LearntPayloads(drafter.payloads, replay))
    with atomic_path(path) as temporary, temporary.open("wb") as handle:
        writer = _writer(handle, plan, seed)
        for low, high in pairwise(_batches(plan.fwd + plan.bwd).tolist()):
            monitor.step("forging packets", low, len(plan), packets=writer.packets)
            chosen = np.arange(low, high, dtype=np.int64)
            frames = _frames(plan, drafter.draft(chosen), chosen, payloads)
            until = None if high == len(plan) else int(plan.columns.start[high])
            writer.add(frames, payloads.store.columns(), until=until)
    monitor.step("forging packets", len(plan), len(plan), packets=writer.packets)
    return ForgeReport(
        packets=writer.packets,
        bytes=writer.bytes,
        flows=len(plan),
        fallbacks=dict(sorted((Counter(plan.left_out) + drafter.fallbacks).items())),
        seconds=time.perf_counter() - began,
        notes=tuple(_notes(plan, drafter, payloads)),
        drawn=drafter.drawn,
        exact=drafter.exact,
    )


def _writer(handle: BinaryIO, plan: Plan, seed: int) -> Writer:
    """A writer with the file header written; identification counters start anywhere."""
    hosts = plan.hosts
    counters = np.array([(i * 40503 + seed) & 0xFFFF for i in range(len(hosts))], np.uint16)
    writer = Writer(handle, plan.columns, host_columns(hosts.hi, hosts.lo, hosts.mac, hosts.ttl), counters)
    writer.open()
    return writer


def _batches(packets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Bounds of runs of flows with about `BATCH` packets each."""
    number = np.cumsum(packets) // BATCH
    cuts = np.flatnonzero(np.diff(number)) + 1
    return np.concatenate([[0], cuts, [len(packets)]]).astype(np.int64)


def _frames(plan: Plan, draft: Draft, chosen: NDArray[np.int64], payloads: Payloads) -> Frames:
    """Payloads, instants and TCP numbers of a draft."""
    from netsynth_core.forge._kernels import number_messages, number_segments

    pattern, word = payloads.assign(plan, draft, chosen)
    n = len(draft.size)
    flow = np.repeat(chosen, np.diff(draft.offsets))
    total = np.cumsum(draft.gap)
    before = np.concatenate([[0], total])[draft.offsets[:-1]]
    ts = plan.columns.start[flow] + total - np.repeat(before, np.diff(draft.offsets))
    columns = plan.columns._replace(**{name: getattr(plan.columns, name)[chosen] for name in plan.columns._fields})
    seq, ack, stamp, echo = (np.zeros(n, np.uint32) for _ in range(4))
    window, layout = np.zeros(n, np.uint16), np.zeros(n, np.uint8)
    number_segments(draft, columns, ts, seq, ack, window, layout, stamp, echo)
    number_messages(draft, columns, seq)
    place = np.arange(n) - np.repeat(draft.offsets[:-1], np.diff(draft.offsets)) - draft.copy
    with np.errstate(over="ignore"):
        filler = plan.columns.seed[flow] ^ (place.astype(np.uint64) + np.uint64(1)) * np.uint64(0xD6E8FEB86659FD93)
    return Frames(
        flow, ts, draft.direction, draft.flags, draft.size, seq, ack, window, layout, stamp, echo, pattern, word, filler
    )


def _notes(plan: Plan, drafter: Drafter, payloads: Payloads) -> list[str]:
    notes = []
    strangers = plan.hosts.stand_ins
    if strangers:
        notes.append(
            f"{len(strangers)} host names (such as {strangers[0]}) are no addresses; stand-ins are in {STAND_INS}."
        )
    doors = zip(plan.columns.proto.tolist(), plan.columns.ports[:, 1].tolist(), plan.service, strict=True)
    unserved = sum(service not in MAKERS and (proto, port) in UNSERVED for proto, port, service in doors)
    if unserved:
        notes.append(
            f"{count(unserved, 'flow')} {'uses' if unserved == 1 else 'use'} ports whose protocol readers check and no "
            "payload maker knows."
        )
    if payloads.resized:
        notes.append(f"{payloads.resized} payloads have the nearest size their protocol allows.")
    notes.extend(drafter.notes())
    notes.extend(payloads.learnt.notes())
    return notes
