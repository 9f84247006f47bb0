"""Where the rows of a CSV stand: header line, data lines, and what comes after them."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from netsynth_core.flows.logs.text import Text, split_line

DELIMITERS: Final = (",", ";", "\t", "|")
_LOOK: Final = 20


def delimiter_of(text: Text) -> str:
    """The mark that splits the header into most cells; the comma where none does."""
    return max(DELIMITERS, key=lambda mark: len(header_of(text, mark)[1]))


def header_of(text: Text, delimiter: str = ",") -> tuple[int, list[str]]:
    """The number of the first line that is not blank, and its cells in lower case; -1 when there is none."""
    for number in range(min(_LOOK, len(text))):
        line = text.line(number)
        if line.strip():
            return number, [cell.strip().lower() for cell in split_line(line, delimiter)]
    return -1, []


def has_columns(text: Text, *names: str) -> bool:
    """Whether the first line that is not blank names all of these columns."""
    return set(names) <= set(header_of(text, delimiter_of(text))[1])


def rows_after(text: Text, header: int) -> NDArray[np.int64]:
    """The lines behind the header."""
    return np.arange(header + 1, len(text), dtype=np.int64)
