"""What an importer hands back: flows, how many rows it looked at, and sentences on what it took for granted."""

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True, eq=False)
class Draft:
    """Flows as read, before they are checked and sorted."""

    frame: pd.DataFrame
    """Columns of a flow table; without ``service`` the responder's port says it."""
    rows: int
    notes: tuple[str, ...] = ()
