import numpy as np
import pandas as pd
import pytest

from studyhub.report import claims, effects
from studyhub.report.beside import all_of
from studyhub.report.collect import collect
from studyhub.report.figures import Effect, critical_difference, forest
from studyhub.report.page import with_figures
from studyhub.stats.compare import compare, explore

ARMS = ("sequential", "implicit", "third")


def section(results):
    comparisons = compare(results.scores, effects.declared(results), places=results.basins)
    explored = explore(results.scores, effects.others(results), places=results.basins)
    (found,) = with_figures([effects.section(results, comparisons, explored)])
    return found


def test_claims_stand_first_and_what_was_only_looked_at_is_told_apart(toy):
    found = section(collect(toy.write().end().store, "toy"))
    data = found.figures[0].data
    assert data["kind"].iloc[0] == "claim" and data["metric"].iloc[0] == "kge"
    assert set(data["kind"].iloc[1:]) == {"exploratory"} and "kge" not in set(data["metric"].iloc[1:])
    assert {"flv", "fhv"}.isdisjoint(data["metric"])  # the absolute ones ask the same
    assert [table.name for table in found.tables] == ["claims", "robustness"]
    assert "exploratory" in [table.name for table in found.folded]


def test_the_right_side_is_always_the_first_arms():
    figure = forest([Effect("a", "b", "kge", 0.1, 0.05, 0.2), Effect("a", "b", "low_rmse", -0.1, -0.2, -0.05)])
    assert figure is not None and "axes of errors run from right to left" in figure.caption
    tops = [float(x) for x in _marks(figure.svg)]
    assert len(tops) == 2 and tops[0] == pytest.approx(tops[1], abs=20)  # both effects are gains: both marks lie right of the middle
    assert min(tops) > 170  # of 331 points, names at the left


def _marks(svg: str) -> list[str]:
    """Horizontal places of the diamonds."""
    from xml.etree import ElementTree

    uses = [use for use in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}use") if "x" in use.attrib]
    told = [group for group in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}g") if group.find("{*}title") is not None]
    assert uses and told
    return [group.find(".//{*}use").attrib["x"] for group in told]


def test_no_effect_no_figure():
    assert forest([]) is None


def test_arms_are_ranked_and_those_not_told_apart_are_joined(toy):
    results = collect(toy.write(arms=ARMS, claims=(("implicit", "sequential", "kge"),)).end().store, "toy")
    (figure,) = all_of(effects.ranking(results, compare(results.scores, effects.declared(results))))
    assert figure.data["arm"].tolist() == ["third", "implicit", "sequential"]  # later arms of the toy are better
    assert figure.data["mean_rank"].tolist() == [1.0, 2.0, 3.0]
    assert "12 basins" in figure.caption and "Friedman" in figure.caption
    alike = critical_difference({"a": 1.4, "b": 1.6, "c": 3.0}, 0.5, [["a", "b"]], ["a", "b", "c"], "kge", "")
    assert alike is not None and alike.data["groups_not_told_apart"].tolist() == ["1", "1", ""]


def test_two_arms_are_not_ranked(toy):
    results = collect(toy.write().end().store, "toy")
    assert effects.ranking(results, []) == []


def test_a_claim_says_what_it_rests_on(toy):
    results = collect(toy.write().end(missing=("003",)).store, "toy")
    (c,) = compare(results.scores, effects.declared(results), places=results.basins)
    table = claims.robustness(results, [c])
    row = dict(zip([column.key for column in table.shown], table.rows()[0], strict=True))
    assert row["differ"] == "hidden_size" and row["margin_told"] == "0.01" and row["n_dropped"] == "1"
    assert row["won_by_margin"] == "100" and row["worst_told"].startswith("p ") and float(row["spread_told"]) > 0


def test_a_metric_that_is_not_defined_anywhere(toy):
    results = collect(toy.write().end().store, "toy")
    results.scores["kge"] = np.nan
    found = section(results)
    assert found.tables[0].rows()[0][3] == "–"
    assert pd.isna(found.tables[0].data["hodges_lehmann"]).all()
