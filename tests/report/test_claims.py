from studyhub.report import claims
from studyhub.report.collect import collect
from studyhub.stats.compare import Question, compare, explore


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
    assert set(claims.robustness(results, compare(results.scores, asked)).data["differ"]) == {"hidden_size"}


def test_dropped_basins_are_counted_by_reason(toy):
    results = collect(toy.write().end(missing=("003", "004")).store, "toy")
    table = claims.dropped(compare(results.scores, [Question("implicit", "sequential", "kge", "larger")]))
    assert table.data["basins"].sum() == 2 and "not defined" in table.data["reason"][0]
