"""Patterns written as text, one flow a line, for adding one by hand::

    proto=UDP dst_port=53
    within=2s proto=TCP dst_port=443 src_ip=@1.src_ip

Fixed cells are ``column=value``, reused ones ``column=@flow.column`` with flows counted from 1, ``within`` is the
longest delay after the flow before. Values with blanks stand in quotes.
"""

import re
import shlex
from collections.abc import Sequence

from pydantic import ValidationError

from netsynth_core.errors import InvalidEdit
from netsynth_core.models.flowchronicle.columns import Column
from netsynth_core.models.flowchronicle.edits import MOST_FLOWS, NewCell, NewFlow
from netsynth_core.models.flowchronicle.pattern import Fixed, Pattern, Reused
from netsynth_core.params import problem_of

_REUSED = re.compile(r"@(\d{1,2})\.(\w+)")
DEFAULT_WITHIN = "1s"


def parse_flows(text: str) -> tuple[NewFlow, ...]:
    """The flows of a written pattern.

    Raises
    ------
    InvalidEdit
        With the line that cannot be read.
    """
    flows = []
    for number, line in enumerate((line for line in text.splitlines() if line.strip()), 1):
        try:
            words = shlex.split(line)
        except ValueError as error:
            raise InvalidEdit(f"Flow {number}: a quote is not closed.", hint='Write such as name="a b".') from error
        fixed: dict[str, str] = {}
        reused: dict[str, NewCell] = {}
        within = DEFAULT_WITHIN
        for word in words:
            name, sign, value = word.partition("=")
            if not sign or name in fixed or name in reused:
                raise InvalidEdit(
                    f"Flow {number}: {word[:60]!r} is no cell, or one given twice.",
                    hint="Write column=value, or column=@1.src_ip for an address of flow 1.",
                )
            bond = _REUSED.fullmatch(value)
            try:
                if name == "within":
                    within = NewFlow(within=value).within
                elif bond is not None:
                    reused[name] = NewCell(flow=int(bond[1]), column=bond[2])
                else:
                    fixed[name] = value
            except ValidationError as error:
                raise InvalidEdit(f"Flow {number}: {name}: {problem_of(error)[0]}.", hint="Change it.") from error
        flows.append(NewFlow(fixed=fixed, reused=reused, within=within))
    if not 1 <= len(flows) <= MOST_FLOWS:
        raise InvalidEdit(f"The pattern has {len(flows)} flows.", hint=f"Write 1 to {MOST_FLOWS}, one a line.")
    return tuple(flows)


def written(pattern: Pattern, columns: Sequence[Column]) -> str:
    """A pattern as text; `parse_flows` reads it back."""
    lines = []
    for place, flow in enumerate(pattern.flows):
        words = [f"within={_limit(pattern.within[place - 1])}"] if place else []
        for number, column in enumerate(columns):
            cell = flow.cell(number)
            if isinstance(cell, Fixed):
                words.append(f"{column.name}={shlex.quote(value_text(column, cell.code))}")
            elif isinstance(cell, Reused):
                words.append(f"{column.name}=@{cell.flow + 1}.{columns[cell.source].name}")
        lines.append(" ".join(words))
    return "\n".join(lines)


_UNITS = (("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1000), ("us", 1))
"""Units and their microseconds."""


def _limit(within: int) -> str:
    """A short duration for which the limit 2**within microseconds is taken: any above half of it is."""
    unit, size = next((unit, size) for unit, size in _UNITS if 2**within >= size)
    return f"{2**within // size}{unit}"


def value_text(column: Column, code: int) -> str:
    """A value with a code, as an edit takes it: for numbers, one inside the bin (durations in seconds)."""
    if column.kind != "number":
        return column.values[code]
    if code == 0 or code > len(column.knots):
        return "0"
    middle = int(column.knots[code - 1][len(column.knots[code - 1]) // 2])
    return f"{middle / 1e9:.9g}" if column.name == "duration" else str(middle)
