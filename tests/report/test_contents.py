import json

import numpy as np
import pytest

from studyhub.catalog import METRICS
from studyhub.report import claims, contents
from studyhub.report.collect import collect
from studyhub.stats.compare import Question, compare, explore


def test_arms_show_what_differs_and_how_far_they_are(toy):
    results = collect(toy.write().end(lambda cell: "failed" if cell.arm == "implicit" and cell.seed == 2 else "finished").store, "toy")
    assert contents.arms(results).rows() == [["sequential", "8", "2 finished"], ["implicit", "9", "1 finished, 1 failed"]]


def test_scores_are_medians_in_the_studys_order_with_the_best_marked(toy):
    results = collect(toy.write().end().store, "toy")
    (table,) = contents.scores(results)
    assert [row[0] for row in table.rows()] == ["sequential", "implicit"]
    expected = results.scores[results.scores["arm"] == "implicit"].groupby("basin")["kge"].mean().median()
    assert table.data["kge"][1] == pytest.approx(expected)
    assert {row for row, _ in table.best} == {1}
    assert [column.unit for column in table.columns if column.key in ("low_rmse", "flv", "nse")] == ["", "%", "mm/d"]


def test_an_undefined_score_is_told(toy):
    results = collect(toy.write().end(missing=("003",)).store, "toy")
    results.scores.loc[results.scores["basin"] == "004", "kge"] = np.nan
    (table,) = contents.scores(results)
    assert table.caption.endswith(" KGE: without the basins in which it is not defined.")
    assert table.data["basins"].tolist() == [11, 11]


def test_arms_with_other_basins_are_also_compared_on_those_that_all_have(toy):
    toy.write(seeds=(1,)).end(lambda cell: "finished" if cell.arm == "sequential" else "pending")
    toy.end(lambda cell: "finished" if cell.arm == "implicit" else "pending", missing=("000", "001"))
    every, common = contents.scores(collect(toy.store, "toy"))
    assert every.best == frozenset() and {row for row, _ in common.best} == {1}
    assert every.data["trials"].tolist() == ["1 of 1", "1 of 1"]
    assert every.data["basins"].tolist() == [12, 10] and common.data["basins"].tolist() == [10, 10]
    assert common.data["kge"][0] > every.data["kge"][0] and common.data["kge"][1] == every.data["kge"][1]


def test_cost_adds_up_trials_and_says_units(toy):
    results = collect(toy.write().end(lambda cell: "finished" if cell.arm == "implicit" else "pending").store, "toy")
    table = contents.cost(results)
    assert table.rows()[0] == ["sequential", *["–"] * 11]
    row = dict(zip([column.key for column in table.columns], table.rows()[1], strict=True))
    assert row == {
        "arm": "implicit",
        "seconds_per_update": "0.250",
        "minutes": "1.50",
        "peak_memory_mib": "1\u202f000",
        "parameters": "1\u202f234",
        "iterations": "2.00",
        "residual": "0.90",
        "unconverged": "6",
        "cut_days": "4.0",
        "below_zero": "5.0",
        "balance": "0.000030",
        "device": "cpu",
    }
    assert {column.key: column.unit for column in table.columns}["minutes"] == "min"


def test_claims_and_explorations_never_share_a_column_of_p(toy):
    results = collect(toy.write().end().store, "toy")
    question = Question("implicit", "sequential", "low_rmse", "smaller")
    confirmed = claims.claims(results, compare(results.scores, [question]))
    assert {"p_holm"} == {column.key for column in confirmed.shown if column.key.startswith("p_")}
    assert confirmed.data["p_holm"][0] < 0.01 and confirmed.data["share_won"][0] == 100 and confirmed.data["n"][0] == 12
    assert "share_won [%]" in confirmed.csv() and "−" in confirmed.rows()[0][7] and "-" in confirmed.csv()
    others = claims.exploratory(explore(results.scores, [question]))
    assert {"p_bh"} == {column.key for column in others.shown if column.key.startswith("p_")} and others.data["p_bh"][0] < 0.01


def test_a_claim_says_in_what_its_arms_differ_and_whether_it_came_after_results(toy):
    toy.write().store.declare("toy", ["implicit > sequential: kge"])
    toy.end().store.declare("toy", ["implicit > sequential: kge", "implicit > sequential: nse"])
    results = collect(toy.store, "toy")
    asked = [Question("implicit", "sequential", metric, "larger") for metric in ("kge", "nse", "kge_2012")]
    table = claims.claims(results, compare(results.scores, asked))
    assert table.data["declared"].tolist() == ["before results", "after results", "–"]
    assert set(table.data["differ"]) == {"hidden_size"}


def test_dropped_basins_are_counted_by_reason(toy):
    results = collect(toy.write().end(missing=("003", "004")).store, "toy")
    table = claims.dropped(compare(results.scores, [Question("implicit", "sequential", "kge", "larger")]))
    assert table.data["basins"].sum() == 2 and "not defined" in table.data["reason"][0]


def test_basins_that_a_comparator_lacks_are_named(toy):
    results = collect(toy.write(seeds=(1,)).end().store, "toy")
    results.runs[0].result["dropped"] = {"not in the table": ["003", "007"]}
    assert contents.unscored(results).rows() == [["sequential", "2", "not in the table", "003, 007"]]


def test_unfinished_trials_have_their_cause(toy):
    ends = {"sequential": "diverged", "implicit": "failed"}
    results = collect(toy.write(seeds=(1,)).end(lambda cell: ends[cell.arm]).store, "toy")
    rows = contents.troubles(results).rows()
    assert rows[0][3:] == ["diverged", "during training, epoch 1, basin 000, store SM, day 1990-05-01"]
    assert rows[1][3:] == ["failed", "MemoryError: out of <memory>"]


def test_provenance_of_every_trial(toy):
    results = collect(toy.write().end(lambda cell: "pending" if cell.arm == "implicit" else "finished").store, "toy")
    rows = contents.trials(results).rows()
    assert len(rows) == 4 and rows[0][4] == toy.cells[0].trial
    assert rows[0][5:] == ["0123456789+", "cpu", "float32", "cpu kernel", "here", "cafe", "–"]
    assert rows[2][5:] == ["–"] * 7
    assert ["torch", "2.13.0", "2"] in contents.versions(results).rows()


def test_scores_of_every_basin(toy):
    from studyhub.stats.summary import per_basin

    results = collect(toy.write().end().store, "toy")
    table = contents.per_basin(results, per_basin(results.scores, list(METRICS)))
    assert len(table.data) == 24 and np.isfinite(table.data["kge"]).all()


def test_what_searches_have_chosen_is_told(toy):
    toy.write().end()
    tried = [({"hidden_size": "8", "learning_rate": 0.0123456}, [0.75]), ({"hidden_size": "4", "learning_rate": 0.1}, None)]
    rows = [{"number": n, "params": params, "values": values} for n, (params, values) in enumerate(tried)]
    entry = {"arm": "implicit", "fold": 1, "done": True, "chosen": tried[0][0], "budget": 2, "objectives": ["nse"], "trials": rows}
    open_one = entry | {"arm": "sequential", "done": False, "chosen": None, "trials": rows[:1]}
    text = json.dumps([entry, open_one, entry | {"arm": "gone"}])
    (toy.store.study_folder("toy") / "searches.json").write_text(text)
    assert contents.searched(collect(toy.store, "toy")).rows() == [
        ["implicit", "1", "2 of 2", "NSE 0.750", "hidden_size 8, learning_rate 0.01235"],
        ["sequential", "1", "1 of 2", "", "not yet"],
    ]
