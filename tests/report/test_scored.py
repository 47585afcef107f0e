import numpy as np
import pytest

from studyhub.catalog import METRICS
from studyhub.report import scored
from studyhub.report.collect import Results, collect
from studyhub.report.tables import Table
from studyhub.stats.summary import per_basin


def tables(results: Results) -> list[Table]:
    return scored.tables(results, per_basin(results.scores, list(METRICS)))


def test_scores_are_medians_in_the_studys_order_with_the_best_marked(toy):
    results = collect(toy.write().end().store, "toy")
    (table,) = tables(results)
    assert [row[0] for row in table.rows()] == ["sequential", "implicit"]
    expected = results.scores[results.scores["arm"] == "implicit"].groupby("basin")["kge"].mean().median()
    assert table.data["kge"][1] == pytest.approx(expected)
    assert {row for row, _ in table.best} == {1}
    assert [column.unit for column in table.columns if column.key in ("low_rmse", "flv", "nse")] == ["", "%", "mm/d"]


def test_an_undefined_score_is_told(toy):
    results = collect(toy.write().end(missing=("003",)).store, "toy")
    results.scores.loc[results.scores["basin"] == "004", "kge"] = np.nan
    (table,) = tables(results)
    assert table.caption.endswith(" KGE: without the basins in which it is not defined.")
    assert table.data["basins"].tolist() == [11, 11]


def test_arms_with_other_basins_are_also_compared_on_those_that_all_have(toy):
    toy.write(seeds=(1,)).end(lambda cell: "finished" if cell.arm == "sequential" else "pending")
    toy.end(lambda cell: "finished" if cell.arm == "implicit" else "pending", missing=("000", "001"))
    every, common = tables(collect(toy.store, "toy"))
    assert every.best == frozenset() and {row for row, _ in common.best} == {1}
    assert every.data["trials"].tolist() == ["1 of 1", "1 of 1"]
    assert every.data["basins"].tolist() == [12, 10] and common.data["basins"].tolist() == [10, 10]
    assert common.data["kge"][0] > every.data["kge"][0] and common.data["kge"][1] == every.data["kge"][1]


def test_scores_of_every_basin(toy):
    results = collect(toy.write().end().store, "toy")
    table = scored.per_basin(per_basin(results.scores, list(METRICS)))
    assert len(table.data) == 24 and np.isfinite(table.data["kge"]).all()
