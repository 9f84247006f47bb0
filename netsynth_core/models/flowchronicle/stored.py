"""A FlowChronicle model as a document and back: the body, and the training flows in its arrays."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from netsynth_core.errors import DocumentError
from netsynth_core.flows.table import FlowTable
from netsynth_core.models.codelength import Codelength
from netsynth_core.models.document import Arrays, Document, Migration, decode_body, migrate
from netsynth_core.models.flowchronicle import body as bodies
from netsynth_core.models.flowchronicle.columns import Column, encode_flows, numbers_of
from netsynth_core.models.flowchronicle.generation.body import (
    from_version_1,
    links_from_body,
    links_to_body,
    machines_from_body,
    machines_to_body,
)
from netsynth_core.models.flowchronicle.generation.body import together_from_body as together_of
from netsynth_core.models.flowchronicle.index import FlowIndex

if TYPE_CHECKING:
    from netsynth_core.models.flowchronicle.model import FlowChronicle

MIGRATIONS: dict[int, Migration] = {1: from_version_1, 2: bodies.from_version_2}


def to_document(model: "FlowChronicle") -> Document:
    """The model as a document; the training flows in its arrays."""
    encoded = {
        "columns": bodies.columns_to_body(model.columns),
        "patterns": [bodies.pattern_to_body(p, model.columns) for p in model.patterns],
        "dropped": [bodies.pattern_to_body(p, model.columns) for p in model.dropped],
        "empty": bodies.pattern_to_body(model.empty, model.columns),
        "rules": bodies.rules_to_body(model.rules),
        "support": bodies.support_to_body(model.support, model.columns),
        "source_ports": bodies.ports_to_body(model.source_ports),
        "links": links_to_body(model.links, [p.id for p in (*model.patterns, model.empty)], model.columns),
        "machines": machines_to_body(model.machines),
        "together": model.together.tolist(),
        "bits": {"model": model.bits.model, "data": model.bits.data, "empty": model.bits.empty},
        "trained_on": dict(model.trained_on),
        "parameters": dict(model.parameters),
        "warnings": list(model.warnings),
    }
    arrays: Arrays = (
        {}
        if model.training is None
        else {"codes": model.training.codes, "ts": model.training.ts, "numbers": model.training.numbers}
    )
    return Document(model.kind, model.version, model.describe().to_json(), encoded, arrays)


def stored_parts(document: Document, *, kind: str, version: int) -> dict[str, Any]:
    """The fields of the model of a document, every part checked.

    Raises
    ------
    DocumentError
        When the document is broken, of another kind, or of a newer version.
    """
    raw = migrate(document, kind=kind, version=version, migrations=MIGRATIONS)
    decoded = decode_body(bodies.Body, raw, kind=kind)
    columns = bodies.columns_from_body(decoded.columns)
    patterns = tuple(bodies.pattern_from_body(p, columns) for p in decoded.patterns)
    dropped = tuple(bodies.pattern_from_body(p, columns) for p in decoded.dropped)
    empty = bodies.pattern_from_body(decoded.empty, columns)
    bodies.check_ids(patterns, dropped, empty)
    trained_on = decoded.trained_on.model_dump()
    seconds = document.card.get("seconds")
    return {
        "columns": columns,
        "patterns": patterns,
        "dropped": dropped,
        "empty": empty,
        "bits": Codelength(decoded.bits.model, decoded.bits.data, decoded.bits.empty),
        "rules": bodies.rules_from_body(decoded.rules),
        "support": bodies.support_from_body(decoded.support, columns),
        "source_ports": bodies.ports_from_body(decoded.source_ports),
        "links": links_from_body(decoded.links, {p.id: len(p.pattern) for p in (*patterns, empty)}, columns),
        "machines": machines_from_body(decoded.machines, len(hosts_of(columns))),
        "together": together_of(decoded.together),
        "trained_on": trained_on,
        "parameters": decoded.parameters.model_dump(),
        "warnings": tuple(decoded.warnings),
        "seconds": float(seconds) if isinstance(seconds, int | float) else None,
        "training": _training(document, columns, trained_on),
    }


def hosts_of(columns: tuple[Column, ...]) -> tuple[str, ...]:
    """Every address, by code."""
    return next(column.values for column in columns if column.kind == "host")


def index_of(
    columns: tuple[Column, ...], codes: NDArray[np.int32], ts: NDArray[np.int64], numbers: NDArray[np.int64]
) -> FlowIndex:
    """The index of encoded flows."""
    return FlowIndex(
        codes,
        ts,
        tuple(c.size for c in columns),
        tuple(i for i, c in enumerate(columns) if c.kind == "host"),
        tuple(i for i, c in enumerate(columns) if c.kind != "number"),
        numbers,
    )


def index_flows(columns: tuple[Column, ...], flows: FlowTable) -> FlowIndex:
    """The index of flows, encoded by the columns of a model."""
    ts = flows.frame["ts"].to_numpy(np.int64)
    return index_of(columns, encode_flows(columns, flows), ts, numbers_of(flows))


def _training(document: Document, columns: tuple[Column, ...], trained_on: dict[str, Any]) -> FlowIndex | None:
    """The training flows of a document's arrays, checked; None when it has none."""
    codes, ts, numbers = (document.arrays.get(name) for name in ("codes", "ts", "numbers"))
    if codes is None or ts is None or numbers is None:
        return None
    sizes = np.array([c.size for c in columns])
    sound = (
        codes.dtype == np.int32
        and ts.dtype == np.int64
        and codes.shape == (trained_on["rows"], len(columns))
        and ts.shape == (trained_on["rows"],)
        and numbers.dtype == np.int64
        and numbers.shape == (trained_on["rows"], sum(c.kind == "number" for c in columns))
        and bool((numbers >= 0).all())
        and bool((codes >= 0).all())
        and bool((codes < sizes).all())
        and not pd.Series(ts).diff().lt(0).any()
    )
    if not sound:
        raise DocumentError(
            "The arrays of the flowchronicle document do not fit its columns.",
            hint="Restore the .npz that was written with the model.",
        )
    return index_of(columns, *(np.ascontiguousarray(array) for array in (codes, ts, numbers)))
