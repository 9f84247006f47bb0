"""``netsynth cut``: the packets of chosen flows, copied out of their capture."""

from pathlib import Path

import click

from netsynth_core.cli.data import meter_option
from netsynth_core.cli.inputs import PATH, output_file, output_option
from netsynth_core.cli.output import Output, common_options, figure_lines
from netsynth_core.errors import InvalidParameter, NotEnoughData


@click.command("cut", epilog="Example: netsynth cut office.pcap.gz --rows 1,5-9 -o chosen.pcap")
@click.argument("inputs", nargs=-1, required=True, metavar="CAPTURE...", type=PATH)
@click.option("--rows", required=True, metavar="ROWS", help="Rows of the flow table, from 0, such as 1,5-9.")
@output_option("OUT", "Where to write: a pcap of a pcap, a pcapng of a pcapng.")
@meter_option
@common_options
def cut_command(out: Output, inputs: tuple[Path, ...], rows: str, output: Path, settings: tuple[str, ...]) -> None:
    """Copy the packets of chosen flows, byte for byte, into a capture of their own.

    The rows are those of the table that `netsynth flows` writes of the same captures with the same settings.
    """
    from dataclasses import asdict

    import numpy as np

    from netsynth_core.capture.cut import cut_capture, frames_of
    from netsynth_core.flows.metering import MeterParams
    from netsynth_core.flows.source import read_flows
    from netsynth_core.workspace.cutting import parse_rows

    output_file(output)
    params = MeterParams.from_settings(settings)
    wanted = parse_rows(rows)
    with out.monitor() as monitor:
        source = read_flows(list(inputs), params, monitor=monitor)
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
        conversations = source.metered.conversations
        packets = np.concatenate([conversations.rows(row) for first, end in wanted for row in range(first, end + 1)])
        frames = frames_of(source.packets, packets, files=len(inputs))
        report = cut_capture(inputs, frames, output, monitor=monitor)
    flows = sum(end - first + 1 for first, end in wanted)
    answer = {**asdict(report), "file": report.path, "flows": flows, "seconds": out.seconds()}
    del answer["path"]
    out.result(answer, list(figure_lines(answer)))

