"""``netsynth cut``: the packets of chosen flows, copied out of their capture."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from netsynth_core.cli.data import meter_option
from netsynth_core.cli.inputs import PATH, output_file, output_option, tunnels_option
from netsynth_core.cli.output import Output, common_options, figure_lines
from netsynth_core.errors import InvalidParameter, NotEnoughData

if TYPE_CHECKING:
    from netsynth_core.flows.table import FlowTable


@click.command("cut", epilog="Example: netsynth cut office.pcap.gz --rows 1,5-9 --flows flows.csv -o chosen.pcap")
@click.argument("inputs", nargs=-1, required=True, metavar="CAPTURE...", type=PATH)
@click.option("--rows", required=True, metavar="ROWS", help="Rows of the flow table, from 0, such as 1,5-9.")
@click.option(
    "--flows",
    "flows_path",
    metavar="FLOWS",
    type=PATH,
    help="The table the rows are of: refused when it was not made of these captures with these settings.",
)
@output_option("OUT", "Where to write: .pcap of a pcap, .pcapng of a pcapng; .gz or .zst behind it packs.")
@meter_option
@tunnels_option
@common_options
def cut_command(
    out: Output,
    inputs: tuple[Path, ...],
    rows: str,
    flows_path: Path | None,
    output: Path,
    settings: tuple[str, ...],
    tunnels: bool,
) -> None:
    """Copy the packets of chosen flows, byte for byte, into a capture of their own.

    The rows are those of the table that `netsynth flows` writes of the same captures with the same settings, --tunnels
    among them; with --flows this is checked.
    """
    from dataclasses import asdict

    import numpy as np

    from netsynth_core.capture.cut import ENDINGS, PACKINGS, cut_capture, frames_of
    from netsynth_core.capture.options import ReadOptions
    from netsynth_core.flows.metering import MeterParams
    from netsynth_core.flows.source import read_flows
    from netsynth_core.flows.table_io import read_flow_rows
    from netsynth_core.workspace.cutting import parse_rows

    output_file(output, tuple(ending + packing for some in ENDINGS.values() for ending in some for packing in PACKINGS))
    params, options = MeterParams.from_settings(settings), ReadOptions(tunnels=tunnels)
    wanted = parse_rows(rows)
    table, order = read_flow_rows(flows_path) if flows_path is not None else (None, None)
    with out.monitor() as monitor:
        source = read_flows(list(inputs), params, options=options, monitor=monitor)
        if source.packets is None or source.metered is None:
            raise NotEnoughData(
                f"{inputs[0]} is a flow table, which holds no packets.", hint="Give the capture it was made from."
            )
        last = wanted[-1][1]
        if last >= len(source.flows):
            raise InvalidParameter(
                f"There is no row {last}: there are {len(source.flows)} flows.",
                hint=f"Give rows from 0 to {max(len(source.flows) - 1, 0)}.",
            )
        chosen = np.concatenate([np.arange(first, end + 1) for first, end in wanted])
        if table is not None and order is not None:
            _require_same(source.flows, table, flows_path)
            # rows count as they stand in the file, which may be in another order than that of starts
            place = np.empty(len(order), np.int64)
            place[order] = np.arange(len(order))
            chosen = place[chosen]
        conversations = source.metered.conversations
        packets = np.concatenate([conversations.rows(int(row)) for row in chosen])
        frames = frames_of(source.packets, packets, files=len(inputs))
        report = cut_capture(inputs, frames, output, monitor=monitor)
    answer = {**asdict(report), "file": report.path, "flows": len(chosen), "seconds": out.seconds()}
    del answer["path"]
    notes = out.note(source.notes)
    out.result({**answer, **({"notes": notes} if out.as_json else {})}, list(figure_lines(answer)))


def _require_same(flows: "FlowTable", table: "FlowTable", path: Path | None) -> None:
    """Refuse a table that is not the one metered of the captures."""
    import numpy as np

    mine, theirs = flows.frame, table.frame
    hint = "Give the captures the table was made of, and the same --set and --tunnels as for netsynth flows."
    if len(mine) != len(theirs):
        raise InvalidParameter(
            f"{path} has {len(theirs)} rows, and the captures make up {len(mine)} flows with these settings.", hint=hint
        )
    for name in ("ts", "duration", "src_ip", "dst_ip", "src_port", "dst_port", "proto"):
        other = mine[name].to_numpy() != theirs[name].to_numpy()
        if other.any():
            row = int(np.argmax(other))
            raise InvalidParameter(
                f"{path} is not the table of these captures: flow {row} has another {name} "
                f"({theirs[name].iloc[row]}, metered {mine[name].iloc[row]}).",
                hint=hint,
            )
