"""The flow table: one row per bidirectional flow (RFC 5103), columns as in the exchange format.

`FlowTable` wraps a pandas DataFrame whose columns and dtypes are checked once, here. Instants and durations are
integer nanoseconds; the CSV writes decimal seconds.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from netsynth_core.errors import SchemaError

if TYPE_CHECKING:
    import pandas as pd

UNSET_PORT: Final = -1

# name -> (dtype, default when the column is missing; None = required)
COLUMNS: Final[dict[str, tuple[str, object | None]]] = {
    "ts": ("int64", None),
    "duration": ("int64", 0),
    "proto": ("str", None),
    "src_ip": ("str", None),
    "src_port": ("int32", UNSET_PORT),
    "dst_ip": ("str", None),
    "dst_port": ("int32", None),
    "fwd_packets": ("int64", 0),
    "bwd_packets": ("int64", 0),
    "fwd_bytes": ("int64", 0),
    "bwd_bytes": ("int64", 0),
    "flags": ("str", "......"),
    "service": ("str", ""),
    "state": ("str", ""),
    "label": ("str", ""),
    "history": ("str", ""),
    "server_name": ("str", ""),
}
SPARSE: Final = ("history", "server_name")
"""Columns that files hold only when some value of theirs is set."""


@dataclass(frozen=True, eq=False)
class FlowTable:
    """Flows in order of their start.

    Parameters
    ----------
    frame
        All of `COLUMNS`, in that order, with these dtypes: `ts` ns since the epoch (the frame is sorted by it, ties in
        input order), `duration` ns >= 0, ports -1 when unset, counts >= 0, `flags` the 6-character UAPRSF union,
        `service`, `state`, `label`, `history` (Zeek's letters, `netsynth_core.flows.states`) and `server_name` (the
        host the originator asked for) ``""`` when unset.
    """

    frame: "pd.DataFrame"

    def __post_init__(self) -> None:
        if list(self.frame.columns) != list(COLUMNS):
            raise SchemaError(
                f"A flow table has the columns {list(self.frame.columns)}; {list(COLUMNS)} are needed.",
                hint="Build it with FlowTable.from_columns, which fills what is missing.",
            )
        ts = self.frame["ts"].to_numpy()
        if len(ts) > 1 and bool(np.any(np.diff(ts) < 0)):
            raise SchemaError("The flows are not in order of their start.", hint="Sort them by ts (stable).")

    @classmethod
    def from_columns(cls, frame: "pd.DataFrame") -> "FlowTable":
        """A flow table from a frame with at least the required columns: fills the optional ones, casts, sorts by start.

        Raises
        ------
        SchemaError
            When a required column is missing or a value does not fit its dtype.
        """
        import pandas as pd

        columns = {}
        for name, (dtype, default) in COLUMNS.items():
            if name in frame.columns:
                try:
                    columns[name] = frame[name].astype(dtype)  # type: ignore[call-overload]
                except (ValueError, TypeError) as error:
                    raise SchemaError(
                        f"Column {name!r} of the flow table does not fit {dtype}: {error}.",
                        hint=f"Give {name} as {dtype}.",
                    ) from error
            elif default is None:
                raise SchemaError(
                    f"The flow table has no column {name!r}; it has {', '.join(map(str, frame.columns))}.",
                    hint=f"Add the column {name!r}; ts, proto, src_ip, dst_ip and dst_port are always needed.",
                )
            else:
                columns[name] = pd.Series(default, index=frame.index, dtype=dtype)
        table = pd.DataFrame(columns, index=frame.index)
        return cls(table.sort_values("ts", kind="stable", ignore_index=True))

    def __len__(self) -> int:
        return len(self.frame)

    def exported(self) -> "pd.DataFrame":
        """The frame as files hold it: without the columns of `SPARSE` in which nothing is set."""
        empty = [name for name in SPARSE if not (self.frame[name] != "").any()]
        return self.frame.drop(columns=empty)

    def take(self, rows: np.ndarray) -> "FlowTable":
        """The flows of the given row numbers, in order of their start."""
        return FlowTable(self.frame.iloc[np.sort(rows)].reset_index(drop=True))
