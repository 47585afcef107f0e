"""The section ``search``: what it draws for which arm, what it trains, and what is refused."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studyhub.errors import DataError, SpecError
from studyhub.study.describe import describe
from studyhub.study.plan import plan, trial_id
from studyhub.study.settings import Period, Split
from studyhub.study.space import Domain, SearchSettings, point
from studyhub.study.spec import StudySpec, read

STUDY = """\
question: Which configuration?
data: {reader: synthetic, basins: 4, years: 10}
split: {train: [1986-10-01, 1990-09-30], validation: [1990-10-01, 1991-09-30], test: [1993-10-01, 1995-09-30]}
shared: {model: dpl, hidden_size: 8}
training: {epochs: 8, optimizer: adam}
arms: {lstm: {model: lstm}, hbv: {scheme: explicit}}
seeds: [1, 2]
"""
SEARCH = """\
search:
  parameters:
    learning_rate: {low: 1.0e-4, high: 0.01, log: true}
    hidden_size: {choices: [8, 16]}
    components: {choices: [1, 4], when: {model: dpl}}
    steps_per_day: {choices: {day: 1, hours: 6}, when: {components: 4}}
  budget: 6
"""


@pytest.fixture
def study(tmp_path: Path) -> Callable[..., StudySpec]:
    """Read the plain study with this search, and other parts in place of its own."""

    def study(search: str = SEARCH, *changes: tuple[str, str], name: str = "study.yaml") -> StudySpec:
        text = STUDY + search
        for old, new in changes:
            assert old in text, f"{old!r} must stand in the study"
            text = text.replace(old, new, 1)
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return read(path)

    return study


def said(study, *arguments) -> str:
    with pytest.raises(SpecError) as caught:
        study(*arguments)
    return str(caught.value)


def parameters(text: str, more: str = "budget: 6") -> str:
    return f"search:\n  parameters: {{{text}}}\n  {more}\n"


# What is drawn


def test_a_search_is_read_with_its_defaults(study):
    search = study().search
    rate = Domain("learning_rate", 1e-4, 0.01, log=True)
    size, components = (
        Domain(key, choices=tuple((str(n), n) for n in levels)) for key, levels in (("hidden_size", (8, 16)), ("components", (1, 4)))
    )
    steps = Domain("steps_per_day", choices=(("day", 1), ("hours", 6)), when=(("components", ("4",)),))
    assert search == SearchSettings((rate, size, replace(components, when=(("model", ("dpl",)),)), steps), 6, 4, arms=("lstm", "hbv"))
    assert study(SEARCH.replace("budget: 6", "budget: 3")).search.batch == 3, "a batch is no larger than the budget"


def test_an_arm_has_the_parameters_that_mean_something_for_it(study):
    spec = study()
    lstm, hbv = spec.arms
    assert [domain.key for domain in lstm.searched.domains] == ["learning_rate", "hidden_size"]
    assert [(domain.key, domain.when) for domain in hbv.searched.domains] == [
        ("learning_rate", ()),
        ("hidden_size", ()),
        ("components", ()),
        ("steps_per_day", (("components", ("4",)),)),
    ]
    assert (hbv.model.components, hbv.model.hidden_size, hbv.training.learning_rate) == (1, 8, ((1, 1e-4),)), "its first configuration"


def test_parameters_stand_after_those_that_their_conditions_name(study):
    text = "components: {choices: [1, 2], when: {scheme: rk4}}, scheme: {choices: [explicit, rk4], when: {optimizer: adam}}"
    text += ", optimizer: {choices: [adam, adadelta]}"
    spec = study(parameters(text), ("{scheme: explicit}", "{}"))
    assert [domain.key for domain in spec.search.domains] == ["optimizer", "scheme", "components"]


def test_what_is_drawn_is_an_arm_as_a_study_file_would_say_it(study, facts):
    spec = study(SEARCH + "compare: []\n")
    drawn = {"learning_rate": 0.002, "hidden_size": "16", "components": "4", "steps_per_day": "hours"}
    written = study(
        "", ("{scheme: explicit}", "{scheme: explicit, learning_rate: 0.002, hidden_size: 16, components: 4, steps_per_day: 6}")
    )
    assert spec.arm("hbv").searched.configure(drawn) == (written.arm("hbv").model, written.arm("hbv").training)
    chosen = plan(spec, facts, chosen={("hbv", 1): drawn})
    assert [cell.trial for cell in chosen.cells if cell.arm == "hbv"] == [
        cell.trial for cell in plan(written, facts).cells if cell.arm == "hbv"
    ]


def test_a_key_that_is_not_drawn_has_the_arms_own_value_and_else_its_default(study):
    spec = study(SEARCH, ("{scheme: explicit}", "{scheme: explicit, steps_per_day: 2}"))
    model, _ = spec.arm("hbv").searched.configure({"learning_rate": 0.002, "hidden_size": "16", "components": "1"})
    assert model.steps_per_day == 2
    model, _ = study().arm("hbv").searched.configure({"learning_rate": 0.002, "hidden_size": "16", "components": "1"})
    assert model.steps_per_day == 1


def test_a_rate_follows_an_optimizer_that_is_drawn(study, tmp_path):
    spec = study(parameters("optimizer: {choices: [adam, adadelta]}"), ("epochs: 8, optimizer: adam", "epochs: 8"))
    for again in (spec, reread(spec, tmp_path)):
        searched = again.arm("hbv").searched
        assert searched.configure({"optimizer": "adadelta"})[1].learning_rate == ((1, 1.0),)
        assert searched.configure({"optimizer": "adam"})[1].learning_rate[0] == (1, 1e-3)


def test_the_weight_of_a_loss_is_drawn_where_that_loss_is(study, tmp_path):
    spec = study(parameters("loss_weight: {low: 0.1, high: 0.5}, loss: {choices: [nse, rmse_log]}"))
    assert [(domain.key, domain.when) for domain in spec.arm("hbv").searched.domains] == [
        ("loss", ()),
        ("loss_weight", (("loss", ("rmse_log",)),)),
    ]
    spec = study(parameters("loss: {choices: [nse, rmse_log]}"), ("{scheme: explicit}", "{scheme: explicit, loss_weight: 0.3}"))
    for again in (spec, reread(spec, tmp_path)):
        assert again.arm("hbv").searched.configure({"loss": "rmse_log"})[1].loss_weight == 0.3
        assert again.arm("hbv").searched.configure({"loss": "nse"})[1].loss_weight == 0.25


def reread(spec: StudySpec, folder: Path) -> StudySpec:
    path = folder / "stored.yaml"
    path.write_text(spec.text(), encoding="utf-8")
    return replace(read(path, name=spec.name), source=spec.source)


CHOICES = {
    "learning_rate": "{choices: [0.01, [[1, 0.01], [3, 0.001]]]}",
    "dynamic": "{choices: {static: [], two: [FC, BETA]}, when: {scheme: implicit}}",
    "scheme": "{choices: [implicit, explicit, rk4]}",
    "fixed": "{choices: [{}, {K2: 0.01}]}",
    "gradient_norm": "{choices: [none, 1], when: {scheme: [implicit, rk4], arm: hbv}}",
    "forcing": "{choices: [hbv, [prcp, pet]]}",
    "raw_stores": "{choices: [false, true], when: {scheme: explicit}}",
    "dropout": "{low: 0, high: 0.5}",
    "batch": "{low: 2, high: 64, log: true}",
}


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(list(CHOICES)), min_size=1, unique=True), st.booleans())
def test_a_stored_search_is_the_same(study, tmp_path, facts, keys, factors):
    if not {"dynamic", "gradient_norm", "raw_stores"}.isdisjoint(keys) and "scheme" not in keys:
        keys.append("scheme")
    more = (
        ("seeds: [1, 2]", "factors: {warmup_gradients: [false, true], hidden_size: [3, 4]}\nseeds: [1, 2]")
        if factors
        else ("[1, 2]", "[1, 2]")
    )
    search = parameters(", ".join(f"{key}: {CHOICES[key]}" for key in keys), "budget: 3\n  arms: [hbv]")
    spec = study(search, ("{scheme: explicit}", "{steps_per_day: 1}"), more)
    again = reread(spec, tmp_path)
    assert again == spec
    assert plan(again, facts) == plan(spec, facts)
    assert len(spec.search.arms) == (4 if factors else 1)


# What is trained


def test_cells_are_placeholders_until_their_search_has_chosen(study, facts):
    child = ("arms: {", "arms: {plain: {}, child: {init_from: {arm: hbv}}, ")
    search = SEARCH.replace("budget: 6", "budget: 6\n  arms: [lstm, hbv]").replace("hidden_size", "batch")
    spec = study(search, child)
    begun = plan(spec, facts)
    assert {cell.arm for cell in begun.cells if cell.trial in begun.open} == {"child", "lstm", "hbv"}
    assert len(begun.open) == 6 and len(begun.trials) == 2
    assert [(search.arm, search.fold) for search in begun.searches] == [("lstm", 1), ("hbv", 1)]
    drawn = {"learning_rate": 0.002, "batch": "16", "components": "1"}
    ended = plan(spec, facts, chosen={("hbv", 1): drawn})
    assert {cell.arm for cell in ended.cells if cell.trial in ended.open} == {"lstm"}
    assert ended.searches == begun.searches
    by = {(cell.arm, cell.seed): cell for cell in ended.cells}
    for seed in (1, 2):
        assert by["child", seed].parent == by["hbv", seed].trial == ended.trials[by["child", seed].trial].parent
        assert ended.trials[by["hbv", seed].trial].training.learning_rate == ((1, 0.002),)
    parents = [cell.parent for cell in begun.cells if cell.arm == "child"]
    assert parents == [cell.trial for cell in begun.cells if cell.arm == "hbv"], "a placeholder may be a parent"


def test_placeholders_differ_by_arm_fold_seed_and_search(study, facts):
    pub = ("split: {train", "split: {kind: pub, folds: 2, train")
    one, other = plan(study(SEARCH, pub), facts), plan(study(SEARCH.replace("budget: 6", "budget: 7"), pub), facts)
    assert len(one.open) == len(one.cells) == 8
    assert not one.open & other.open
    assert one.open == plan(study(SEARCH, pub), facts).open
    assert {(search.arm, search.fold) for search in one.searches} == {(arm, fold) for arm in ("lstm", "hbv") for fold in (1, 2)}


def test_a_search_is_judged_in_the_validation_period_by_the_training_basins(study, facts):
    begun = plan(study(SEARCH, ("split: {train", "split: {kind: pub, folds: 2, train")), facts, backend="cuda")
    search = next(search for search in begun.searches if search.arm == "hbv" and search.fold == 2)
    trial = search.trial({"learning_rate": 0.002, "hidden_size": "16", "components": "1"})
    fold = begun.folds[1]
    assert trial.train_basins == trial.test_basins == fold.train_basins
    assert not set(trial.test_basins) & set(fold.test_basins)
    train, judged = Period(date(1986, 10, 1), date(1990, 9, 30)), Period(date(1990, 10, 1), date(1991, 9, 30))
    assert trial.split == Split(train, judged, None, 365, 730)
    assert (trial.seed, trial.backend, trial.parent) == (1, "cuda", None)
    assert trial.data == f"{sorted(fold.train_basins)} ['pet', 'prcp', 'qobs', 'tmean']"
    assert trial_id(trial) not in begun.open


def test_basins_kept_aside_judge_in_years_that_they_did_not_train(study, facts):
    share = SEARCH.replace("budget: 6", "budget: 6\n  validation: {basins: 0.25}\n  seed: 7")
    trial = plan(study(share), facts).searches[0].trial({"learning_rate": 0.002, "hidden_size": "16"})
    assert len(trial.test_basins) == 1 and len(trial.train_basins) == 3
    assert set(trial.test_basins) | set(trial.train_basins) == set(facts.basins)
    assert (trial.split.test, trial.split.test_warmup, trial.seed) == (Period(date(1990, 10, 1), date(1991, 9, 30)), 730, 7)
    same = [search.trial({"learning_rate": 0.002, "hidden_size": "16"}).test_basins for search in plan(study(share), facts).searches]
    assert set(same) == {trial.test_basins}, "all arms are judged by the same basins"
    bare = ("validation: [1990-10-01, 1991-09-30], ", "")
    trial = plan(study(share, bare), facts).searches[0].trial({"learning_rate": 0.002, "hidden_size": "16"})
    assert trial.split.test == Period(date(1987, 10, 1), date(1990, 9, 30)), "the training period less its warm-up"
    assert trial.split.test_warmup == trial.split.warmup == 365, "which is all that the stores are filled with"
    many = SEARCH.replace("budget: 6", "budget: 6\n  validation: {basins: 0.01}")
    with pytest.raises(
        DataError, match=r"`search.validation`: a share of 0.01 of the 4 training basins of fold 1 .all basins. leaves none to judge by"
    ):
        plan(study(many), facts)


def test_a_best_checkpoint_keeps_its_validation(study, facts):
    spec = study(SEARCH, ("epochs: 8,", "epochs: 8, checkpoint: best,"))
    trial = plan(spec, facts).searches[0].trial({"learning_rate": 0.002, "hidden_size": "16"})
    assert trial.split.validation == trial.split.test == spec.split.validation


def test_what_a_search_may_draw_is_asked_of_the_data(study, facts):
    spec = study(parameters("forcing: {choices: [hbv, [prcp, runoff]]}"))
    with pytest.raises(DataError, match="arms `lstm`, `hbv`: variable runoff"):
        plan(spec, facts)


def test_a_plan_says_what_is_searched(study, facts):
    spec = study(SEARCH.replace("budget: 6", "budget: 6\n  scheduler: halving\n  rungs: [2, 4]\n  objectives: [nse, abs_flv]"))
    text = describe(spec, plan(spec, facts))
    assert "trials     4 (2 arms x 2 seeds), 4 basins; 4 of them are known once a search has chosen\n" in text
    assert (
        "search     6 trainings x 2 arms x 1 fold, judged on validation by median NSE, median absolute FLV; tpe in batches of 4, halving at"
        in text
    )
    assert "           learning_rate  0.0001..0.01, logarithmic\n" in text
    assert "           components     1 | 4, where model is dpl\n" in text
    assert "           steps_per_day  day | hours, where components is 4\n" in text
    assert text.endswith("lstm  lstm   256    rmse\nhbv   dpl    100    rmse_log"), "both search the same"
    few = study(SEARCH.replace("budget: 6", "budget: 6\n  arms: [hbv]"))
    row = describe(few, plan(few, facts)).splitlines()[-1]
    assert row.split() == ["hbv", "dpl", "8", "|", "16", "100", "0.0001..0.01", "rmse_log"]


def test_points_of_a_space():
    a, b = Domain("a", choices=(("x", 1), ("y", 2))), Domain("b", 1, 5, whole=True, when=(("a", ("y",)),))
    c = Domain("c", 0.1, 0.5, when=(("b", (1, 5)),))
    assert point((a, b, c)) == {"a": "x"}
    assert point((a, b, c), {"b": 5}) == {"a": "y", "b": 5, "c": 0.1}
    assert point((a, b, c), {"c": 0.5}) == {"a": "y", "b": 1, "c": 0.5}
    assert point((a, b, c), {"c": 0.5, "a": "x"}) is None
    assert (b.level(3.0), c.level(0.3), a.level("y")) == (3, 0.3, 2)
    assert Domain("learning_rate", 0.1, 1).level(0.3) == ((1, 0.3),)


# What is refused

DROPOUT = "dropout: {low: 0, high: 0.5}"


def how(text: str) -> str:
    return parameters(DROPOUT, f"budget: 3\n  {text}")


@pytest.mark.parametrize(
    ("search", "words"),
    [
        ("search: {}\n", "`search.parameters`: is required: {learning_rate: {low: 1e-4, high: 0.01, log: true}}"),
        ("search:\n  budget: 3\n  parameters: {}\n", "study.yaml:10: `search.parameters`: needs at least 1"),
        ("search:\n  parametres: {}\n  budget: 3\n", "study.yaml:9: `search.parametres`: unknown key; did you mean `parameters`?"),
        (parameters(DROPOUT, "budget: 0"), "study.yaml:10: `search.budget`: needs a number at least 1, got 0"),
        (parameters(DROPOUT, "batch: 2"), "`search.budget`: is required: trainings for each arm and fold, such as 12"),
        (how("sampler: cmaes"), "unknown sampler 'cmaes'; known: tpe, random, grid"),
        (how("scheduler: asha"), "`search.scheduler`: unknown scheduler 'asha'; known: none"),
        (how("scheduler: halving"), "`search.scheduler`: `halving` needs the epochs at which"),
        (how("rungs: [2]"), "`search.rungs`: have a meaning with a scheduler; take them out"),
        (how("scheduler: halving\n  rungs: [4, 2]"), "`search.rungs`: go upwards, got [4, 2]"),
        (how("scheduler: halving\n  rungs: [2, 8]"),
         "study.yaml:12: `search.rungs.1`: must lie before the last epoch, 8 of arm `lstm`, got 8"),
        (parameters("epochs: {low: 3, high: 9}", "budget: 3\n  scheduler: halving\n  rungs: [2, 3]"),
         "`search.rungs.1`: must lie before the last epoch, 3 of arm"),
        (how("objectives: [nsee]"), "`search.objectives.0`: unknown metric 'nsee'; did you mean `nse`?"),
        (how("objectives: [et_nse]"), "`search.objectives.0`: a search goes by discharge, and et_nse does not judge it; take one"),
        (how("objectives: [nse, nse]"), "`search.objectives`: each value may stand once"),
        (how("validation: {basins: 2}"), "`search.validation`: needs `period`, or the share"),
        (how("validation: basins"), "`search.validation`: needs `period`, or the share"),
        (how("arms: [hvb]"), "study.yaml:11: `search.arms.0`: there is no arm 'hvb'; did you mean `hbv`?"),
        (how("arms: hbv"), "`search.arms`: needs `all`, or a list of arms, got 'hbv'"),
        # Parameters
        (parameters("dropuot: {low: 0, high: 0.5}"),
         "study.yaml:9: `search.parameters.dropuot`: unknown key of an arm; did you mean `dropout`?"),
        (parameters("model: {choices: [lstm, dpl]}"), "`search.parameters.model`: cannot be searched, for too much follows from it"),
        (parameters("dropout: {low: 0, hihg: 0.5}"), "`search.parameters.dropout.hihg`: unknown key; did you mean `high`?"),
        (parameters("dropout: {low: 0}"), "`search.parameters.dropout`: needs `low` and `high`, or `choices`"),
        (parameters("dropout: [0, 0.5]"), "`search.parameters.dropout`: needs a mapping of keys to values, got [0, 0.5]"),
        (parameters("dropout: {low: 0.5, high: 0.1}"), "`search.parameters.dropout.low`: must be below `high`, got 0.5 and 0.1; swap them"),
        (parameters("dropout: {low: 0.5, high: 0.5}"), "`search.parameters.dropout.low`: must be below `high`"),
        (parameters("dropout: {low: 0, high: 0.5, log: true}"),
         "`search.parameters.dropout.low`: must be above 0 where `log` is true, got 0"),
        (parameters("dropout: {low: 0, high: 1}"), "`search.parameters.dropout.high`: needs a number below 1, got 1"),
        (parameters("dropout: {low: 0, high: .inf}"), "`search.parameters.dropout.high`: needs a finite number, got inf"),
        (parameters("dropout: {low: true, high: 0.5}"), "`search.parameters.dropout.low`: needs a number, got true"),
        (parameters("hidden_size: {low: 1.5, high: 4}"), "`search.parameters.hidden_size.low`: needs a whole number, got 1.5"),
        (parameters("learning_rate: {low: 0, high: 0.1}"), "`search.parameters.learning_rate.low`: needs a rate above 0"),
        (parameters("scheme: {low: 0, high: 1}"), "`search.parameters.scheme`: needs `choices`, a list of values: it is no number"),
        (parameters("scheme: {choices: [rk4]}"), "`search.parameters.scheme.choices`: needs at least two values"),
        (parameters("scheme: {choices: rk4}"), "`search.parameters.scheme.choices`: needs at least two values"),
        (parameters("hidden_size: {choices: [8, 8]}"),
         "`search.parameters.hidden_size.choices`: each choice stands once, 8 stands more often"),
        (parameters("hidden_size: {choices: {a: 8, b: 8}}"),
         "`search.parameters.hidden_size.choices`: each choice stands once, b stands more"),
        (parameters("optimizer: {choices: [adam, sgd]}"), "`search.parameters.optimizer.choices.1`: unknown optimizer 'sgd'"),
        (parameters("optimizer: {choices: {one: adam, two: sgd}}"), "`search.parameters.optimizer.choices.two`: unknown optimizer 'sgd'"),
        (parameters("dropout: {choices: [0, 0.5], low: 0}"), "has `choices`, beside which `low` means nothing"),
        (how("sampler: grid"), "`search.parameters.dropout`: a grid needs `choices` of it"),
        # What an arm fixes, and what it cannot take
        (parameters("scheme: {choices: [rk4, explicit]}"),
         "study.yaml:6: `arms.hbv.scheme`: fixed here, and varied by `search.parameters.scheme` (line 9); take out one"),
        (parameters("components: {choices: [1, 4]}", "budget: 3\n  arms: [lstm]"),
         "`search.arms`: `lstm` has none of the parameters that are searched"),
        (parameters("components: {choices: [1, 4]}"), "`search.arms`: `lstm` has none of the parameters that are searched; leave it out"),
        (parameters("dropout: {low: 0, high: 0.5}, components: {choices: [1, 4]}", "budget: 3\n  arms: [lstm]"),
         "study.yaml:9: `search.parameters.components`: has no meaning for any searched arm; take it out"),
        (parameters("dropout: {low: 0, high: 0.5}, batch: {choices: [1, 4], when: {scheme: rk4}}"),
         "`search.parameters.batch.when`: can never hold in a searched arm"),
        (parameters("window: {low: 30, high: 1200}"), "`search.parameters.window.high`: a training sample needs 365 days of warm-up"),
        (parameters("dynamic: {choices: [[BETA], [X1]]}", "budget: 3\n  arms: [hbv]"),
         "`search.parameters.dynamic.choices.1`: physics hbv has no X1"),
        # Conditions
        (parameters("dropout: {low: 0, high: 0.5, when: {dropout: 0}}"),
         "`search.parameters.dropout.when.dropout`: `dropout` cannot depend on itself"),
        (parameters("dropout: {low: 0, high: 0.5, when: {batch: 5}}, batch: {choices: [2, 4]}"),
         "`search.parameters.dropout.when.batch`: can never hold, for the search draws `batch` from 2, 4"),
        (parameters("dropout: {low: 0, high: 0.5, when: {batch: 5}}, batch: {low: 2, high: 9}"),
         "`batch` is any number between two bounds; a condition needs `choices`"),
        (parameters("dropout: {low: 0, high: 0.5, when: {bacth: 5}}"),
         "`search.parameters.dropout.when.bacth`: unknown key; did you mean `batch`?"),
        (parameters("dropout: {low: 0, high: 0.5, when: {arm: nobody}}"), "`search.parameters.dropout.when.arm`: there is no arm 'nobody'"),
        (parameters("loss: {choices: [nse, rmse], when: {batch: 2}}, batch: {choices: [2, 4], when: {loss: nse}}"),
         "conditions go in a circle, loss needs batch needs loss"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_search_is_one_line_with_its_place(study, search, words):
    told = said(study, search)
    assert words in told
    assert told.startswith(str(told).partition("study.yaml")[0])


def test_values_that_cannot_go_together_are_named_with_each_other(study):
    text = "scheme: {choices: [explicit, sequential]}, steps_per_day: {choices: [1, 6]}"
    told = said(study, parameters(text, "budget: 3\n  arms: [hbv]"), ("{scheme: explicit}", "{}"))
    assert "`search.parameters.steps_per_day.choices.1`: the sequential scheme's limits are rates per day" in told
    assert told.endswith("(drawn with scheme: sequential; a `when` keeps them apart)")
    assert study(parameters(text.replace("6]}", "6], when: {scheme: explicit}}"), "budget: 3\n  arms: [hbv]"), ("{scheme: explicit}", "{}"))


def test_a_search_needs_something_to_choose_by(study):
    told = said(study, SEARCH, ("validation: [1990-10-01, 1991-09-30], ", ""))
    assert "`search.validation`: needs a validation period to choose by, the split has none; give `split.validation`, or write" in told
    assert "validation: {basins: 0.25}" in told


def test_arms_that_start_from_another_are_not_searched_and_parents_not_in_what_must_be_alike(study):
    child = ("arms: {", "arms: {child: {init_from: {arm: hbv}}, ")
    told = said(study, SEARCH, child)
    assert "`arms.child.init_from.arm`: `child` cannot both be searched and start from `hbv`" in told
    told = said(study, SEARCH.replace("budget: 6", "budget: 6\n  arms: [hbv]"), child)
    assert "starts from `hbv`, whose `hidden_size` is searched, and must be alike in it; take `hidden_size` out of the search" in told


def test_external_arms_are_not_searched(study, tmp_path):
    (tmp_path / "t.csv").write_text("table")
    external = ("arms: {", f"arms: {{sim: {{external: {tmp_path}/t.csv}}, ")
    assert study(SEARCH, external).search.arms == ("lstm", "hbv")
    told = said(study, SEARCH.replace("budget: 6", "budget: 6\n  arms: [sim]"), external)
    assert "`search.arms.0`: `sim` is a simulation from elsewhere, with nothing to search; take it out" in told
