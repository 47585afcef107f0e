import pytest

from studyhub.catalog import METRICS
from studyhub.report.answer import answer
from studyhub.report.collect import collect
from studyhub.stats.compare import Question, compare


def answered(toy):
    results = collect(toy.store, "toy")
    questions = [Question(c.better, c.than, c.metric, METRICS[c.metric].direction) for c in results.spec.compare]
    return answer(results, compare(results.scores, questions))


def test_one_claim_is_the_answer(toy):
    found = answered(toy.write().end())
    assert found.lead.startswith("implicit beats sequential on 100 % of 12 basins, ΔKGE +0.050 [")
    assert "12 basins" in found.lead and "p = 0.0002" in found.lead
    assert [kind for kind, _ in found.claims] == ["shown"]
    assert found.state == "4 trials: 4 finished; 12 basins"


def test_the_other_way_is_said(toy):
    found = answered(toy.write(claims=(("sequential", "implicit", "kge"),)).end())
    assert found.claims[0][0] == "the other way" and "the other way" in found.lead


def test_several_claims_are_counted_and_told_apart(toy):
    claims = (("implicit", "sequential", "kge"), ("sequential", "implicit", "nse"), ("implicit", "sequential", "low_rmse"))
    found = answered(toy.write(claims=claims).end())
    assert found.lead == (
        "2 of 3 claims shown: implicit has a higher KGE than sequential; implicit has a lower low-flow RMSE than sequential. "
        "The data point the other way than that: sequential has a higher NSE than implicit."
    )
    assert "Holm p = " in found.claims[0][1]


def test_without_claims_arms_are_ranked_and_no_test_is_claimed(toy):
    found = answered(toy.write(claims=()).end())
    assert found.lead.startswith("Median KGE over 12 basins: implicit 0.65")
    assert found.lead.endswith("No claim was declared, so no test decides between them.")


def test_one_arm(toy):
    found = answered(toy.write(arms=("only",), claims=()).end())
    assert found.lead.startswith("Median KGE over 12 basins: only 0.")
    assert found.lead.endswith("There is one arm, so nothing is compared.")


def test_only_one_arm_has_scores(toy):
    found = answered(toy.write().end(lambda cell: "finished" if cell.arm == "implicit" else "failed"))
    assert found.lead.startswith("Only `implicit` has scores, so nothing can be compared.")


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("diverged", "All 4 trials diverged, so there is no score and nothing to compare"),
        ("failed", "No trial has finished (4 failed), so there is no score"),
        ("pending", "No trial has finished yet (4 pending)."),
        ("running", "No trial has finished yet (4 running)."),
    ],
)
def test_nothing_to_tell(toy, state, expected):
    assert answered(toy.write().end(lambda cell: state)).lead.startswith(expected)


def test_a_study_under_way_says_so(toy):
    found = answered(toy.write().end(lambda cell: "running" if cell.seed == 2 else "finished"))
    assert found.lead.startswith("So far, with trials still to come: implicit beats sequential on ")
    assert found.state == "4 trials: 2 finished, 2 running; 12 basins"


def test_no_common_basins(toy):
    toy.write().end(lambda cell: "finished" if cell.arm == "implicit" else "pending")
    toy.basins = tuple(f"other-{i}" for i in range(5))
    toy.end(lambda cell: "finished" if cell.arm == "sequential" else "pending")
    found = answered(toy)
    assert found.claims[0][0] == "no basins"
    assert found.lead == "Not shown: no basin has a defined KGE of both implicit and sequential."
