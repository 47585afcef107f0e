"""The section ``surface`` of a study file."""

import pytest

from studyhub.errors import DataError, SpecError
from studyhub.study.describe import describe
from studyhub.study.plan import DataFacts, plan
from studyhub.study.spec import read
from studyhub.study.surface import Surface

STUDY = """\
question: q
split: {train: [1986-10-01, 1991-09-30], test: [1993-10-01, 1995-09-30]}
shared: {model: dpl, forcing: [prcp, tmean, pet], attributes: [p_mean]}
arms:
  dhbv: {}
  adj: {scheme: implicit, capillary_rise: true}
  lstm: {model: lstm}
  gr: {physics: gr4j}
seeds: [1]
"""
FACTS = DataFacts(("a", "b"), ("prcp", "tmean", "pet", "qobs"), ("p_mean",), lambda basins, variables: "feed")


@pytest.fixture
def write(tmp_path):
    def text(surface: str = ""):
        path = tmp_path / "s.yaml"
        path.write_text(STUDY + (f"surface: {surface}\n" if surface else ""))
        return path

    return text


def test_nothing_is_computed_unless_it_is_asked_for(write):
    spec = read(write())
    assert spec.surface is None and "surface" not in spec.text()


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("{}", Surface()),
        ("~", Surface()),
        ('{parameters: [K0, C], basins: ["01", "02"], arms: [adj]}', Surface(("K0", "C"), ("01", "02"), arms=("adj",))),
        ("{parameters: [X1, X3], points: 3, reach: 1, metric: log_nse}", Surface(("X1", "X3"), points=3, reach=1.0, metric="log_nse")),
    ],
)
def test_it_is_read_and_written_and_read_again(write, tmp_path, said, meant):
    spec = read(write(said))
    (tmp_path / "again.yaml").write_text(spec.text())
    assert spec.surface == read(tmp_path / "again.yaml").surface == meant


def test_arms_that_lack_a_parameter_are_none_of_it(write):
    spec = read(write("{}"))
    assert spec.surface.able(spec.arms) == ("dhbv", "adj")
    assert Surface(("X1", "X2")).able(spec.arms) == ("gr",)


def test_it_is_no_part_of_any_trial(write):
    with_it, without = plan(read(write("{basins: [a]}")), FACTS), plan(read(write()), FACTS)
    assert with_it.cells == without.cells and with_it.trials == without.trials
    said = describe(read(write("{basins: [a]}")), with_it)
    assert "surface    KGE over FC and BETA, 21 x 21 points in basins a, of dhbv, adj, once the trials have ended" in said


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("{parameters: FC}", "`surface.parameters`: needs two parameters, such as [FC, BETA], got 'FC'"),
        ("{parameters: [FC, BETTA]}", "`surface.parameters.1`: unknown parameter 'BETTA'; did you mean `BETA`?"),
        ("{parameters: [FC, FC]}", "`surface.parameters`: two parameters are required, got FC twice"),
        ("{parameters: [FC, X1]}", "`surface.parameters`: `gr` (gr4j) has no FC"),
        ("{parameters: [FC, C], arms: [dhbv, adj]}", "`surface.arms`: `dhbv` (hbv) has no C"),
        ("{arms: [lstm]}", "`surface.arms.0`: `lstm` has no water balance whose parameters could be moved; those that have: dhbv, adj, gr"),
        ("{arms: [dhbw]}", "`surface.arms.0`: there is no arm 'dhbw'; did you mean `dhbv`?"),
        ("{basins: 0}", "needs 1 to 20 basins"),
        ("{basins: [01, 02]}", 'basin ids are text: YAML reads 01 as 1; put it in quotes: "01"'),
        ("{points: 20}", "`surface.points`: must be odd"),
        ("{reach: 0}", "`surface.reach`: needs a number above 0, got 0"),
        ("{metric: et_nse}", "`surface.metric`: et_nse is no metric of discharge"),
        ("{parametres: [FC, BETA]}", "`surface.parametres`: unknown key; did you mean `parameters`?"),
    ],
)
def test_bad_input(write, said, message):
    with pytest.raises(SpecError) as error:
        read(write(said))
    assert message in str(error.value)


def test_no_arm_has_parameters(tmp_path):
    path = tmp_path / "s.yaml"
    hybrid = ("  dhbv: {}\n", "  adj: {scheme: implicit, capillary_rise: true}\n", "  gr: {physics: gr4j}\n")
    path.write_text("".join(line for line in STUDY.splitlines(keepends=True) if line not in hybrid) + "surface: {}\n")
    with pytest.raises(SpecError, match="no arm of the study has a water balance"):
        read(path)


def test_basins_that_are_not_tested(write):
    with pytest.raises(DataError, match="a surface needs basins that the study tests on, c is none; known: a, b"):
        plan(read(write("{basins: [a, c]}")), FACTS)
