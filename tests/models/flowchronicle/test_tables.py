"""The tables of a pattern's network: probabilities as sampling has them."""

import numpy as np
import pytest

from netsynth_core.models.flowchronicle import FlowChronicle
from netsynth_core.models.flowchronicle.tables import cell_names, node_table


def test_tables_are_the_probabilities_of_the_network(model: FlowChronicle) -> None:
    seen_parents = False
    for learnt in (*model.patterns, model.empty):
        names = cell_names(learnt, model.columns)
        assert len(names) == len(learnt.network.variables)
        for node, variable in enumerate(learnt.network.variables):
            table = node_table(learnt, model.columns, node, most_rows=10**6, most_values=10**6)
            assert table.cell == names[node]
            assert table.parents == tuple(names[p] for p in variable.parents)
            assert sum(row.count for row in table.rows) == learnt.usage
            assert [row.count for row in table.rows] == sorted((r.count for r in table.rows), reverse=True)
            for row in table.rows:
                assert sum(row.probabilities) == pytest.approx(1)
                assert len(row.given) == len(variable.parents)
            seen_parents |= bool(variable.parents)
    assert seen_parents


def test_a_table_agrees_with_the_log_probability_of_a_window(model: FlowChronicle) -> None:
    learnt = max(model.patterns, key=lambda p: sum(len(v.parents) for v in p.network.variables))
    codes = learnt.network.sample(50, rng=np.random.default_rng(0))
    cells = learnt.pattern.free_cells(len(model.columns))
    bits = learnt.network.log2_probability(codes)
    for node, (_, column) in enumerate(cells):
        table = node_table(learnt, model.columns, node, most_rows=10**6, most_values=10**6)
        parents = [cells.index(cells[p]) for p in learnt.network.variables[node].parents]
        rows = {row.given: row for row in table.rows}
        for window in range(50):
            given = tuple(model.columns[cells[p][1]].text(int(codes[p, window])) for p in parents)
            value = model.columns[column].text(int(codes[node, window]))
            if given in rows and table.values.count(value) == 1:
                probability = rows[given].probabilities[table.values.index(value)]
                assert np.log2(probability) == pytest.approx(bits[node, window])
