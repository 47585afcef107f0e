"""Factors x design -> arms: what is run, what it is called, and what is refused."""

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from math import prod
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studyhub.errors import SpecError
from studyhub.study.defaults import SCIENCE_KEYS, has_meaning, level_of, settings_of
from studyhub.study.dump import dump
from studyhub.study.plan import plan
from studyhub.study.spec import StudySpec, read

PLAIN = """\
question: What matters?
data: {reader: synthetic, basins: 4, years: 10}
split: {train: [1986-10-01, 1991-09-30], test: [1993-10-01, 1995-09-30]}
shared: {model: dpl, hidden_size: 8}
training: {epochs: 2}
seeds: [1, 2]
"""


@pytest.fixture
def study(tmp_path: Path) -> Callable[..., StudySpec]:
    """Read a study with these sections beside the plain ones."""

    def study(sections: str, *overrides: str) -> StudySpec:
        path = tmp_path / "study.yaml"
        path.write_text(PLAIN + sections, encoding="utf-8")
        return read(path, overrides)

    return study


def names(spec: StudySpec) -> list[str]:
    return [arm.name for arm in spec.arms]


def said(study, sections: str, *overrides: str) -> str:
    with pytest.raises(SpecError) as caught:
        study(sections, *overrides)
    return str(caught.value)


# Full designs


def test_arms_are_crossed_with_the_levels_of_every_factor(study):
    spec = study("""
arms: {sequential: {}, implicit: {scheme: implicit}}
factors:
  components: [1, 4]
  rise: {off: {}, on: {capillary_rise: true, fixed: {NDC: 1}}}
""")
    assert names(spec)[:3] == ["sequential+components=1+off", "sequential+components=1+on", "sequential+components=4+off"]
    assert len(spec.arms) == 8
    arm = spec.arm("implicit+components=4+on")
    assert (arm.model.scheme, arm.model.components, arm.model.capillary_rise, arm.model.fixed) == ("implicit", 4, True, (("NDC", 1.0),))
    assert arm.levels == (("arm", "implicit"), ("components", "4"), ("rise", "on"))


def test_factors_alone_make_arms(study):
    spec = study("factors: {scheme: [sequential, implicit], dynamic: {static: [], two: [BETA, BETAET]}, dropout: [0, 0.5]}\n")
    assert names(spec)[0] == "scheme=sequential+static+dropout=0"
    assert len(spec.arms) == 8
    assert spec.arms[-1].model.dynamic == ("BETA", "BETAET")
    assert dict(spec.arms[-1].levels) == {"scheme": "implicit", "dynamic": "two", "dropout": "0.5"}


def test_labels_of_values_and_of_names_that_stand_for_two_things(study):
    spec = study(
        """
factors:
  dynamic: [[], [BETA, FC]]
  learning_rate: [1.0e-3, [[1, 0.01], [2, 0.001]]]
  rise: {off: {}, on: {capillary_rise: true}}
  gradients: {off: {}, on: {warmup_gradients: true}}
  4h: {4h: {scheme: explicit, steps_per_day: 6}, 1d: {scheme: implicit}}
""".replace("4h: {4h", "step: {4h")
    )
    assert names(spec)[0] == "dynamic=none+learning_rate=0.001+rise=off+gradients=off+step=4h"
    assert names(spec)[-1] == "dynamic=BETA-FC+learning_rate=1-0.01-2-0.001+rise=on+gradients=on+step=1d"


def test_a_name_that_would_be_too_long_ends_in_letters_that_tell_it_from_others(study):
    levels = ", ".join(f"{'long' * 9}_{end}: {{components: {end}}}" for end in (1, 2))
    more = ", ".join(f"{'more' * 9}_{end}: {{hidden_size: {end}}}" for end in (1, 2))
    spec = study(f"factors:\n  a: {{{levels}}}\n  b: {{{more}}}\n  scheme: [implicit, explicit, rk4, crank_nicolson]\n")
    assert max(map(len, names(spec))) <= 100
    assert len(set(names(spec))) == 16


def test_external_arms_take_no_part_in_factors(study, tmp_path):
    (tmp_path / "sim.csv").write_text("table")
    spec = study(f"arms: {{hbv: {{}}, sim: {{external: {tmp_path}/sim.csv}}}}\nfactors: {{components: [1, 2]}}\n")
    assert names(spec) == ["hbv+components=1", "hbv+components=2", "sim"]


def test_the_order_of_factors_changes_names_and_not_trials(study, facts):
    one = study("factors: {components: [1, 4], scheme: [implicit, explicit]}\n")
    other = study("factors: {scheme: [implicit, explicit], components: [1, 4]}\n")
    assert names(one)[0] == "components=1+scheme=implicit" and names(other)[0] == "scheme=implicit+components=1"
    assert plan(one, facts).trials.keys() == plan(other, facts).trials.keys()


def test_a_trial_is_the_same_whoever_made_its_arm(study, facts):
    made = plan(study("factors: {components: [1, 4]}\n"), facts)
    written = plan(study("arms: {one: {components: 1}, four: {components: 4}}\n"), facts)
    assert made.trials == written.trials


def test_a_factor_is_changed_from_the_command_line(study):
    spec = study(
        "arms: {a: {}, b: {scheme: implicit}}\nfactors: {components: [1, 4]}\n", "factors.components=[2]", "factors.dropout=[0, 0.1]"
    )
    assert names(spec) == [
        "a+components=2+dropout=0",
        "a+components=2+dropout=0.1",
        "b+components=2+dropout=0",
        "b+components=2+dropout=0.1",
    ]
    assert spec.name == "study-factors-components-2-factors-dropout-0-0.1"
    assert names(study("arms: {a: {}}\n", "factors.components=[1, 2]")) == ["a+components=1", "a+components=2"]


# Conditions


def test_a_factor_takes_part_only_where_its_condition_holds(study):
    spec = study("""
arms: {hbv: {}, gr4j: {physics: gr4j}}
factors:
  scheme: [sequential, explicit, rk4]
  steps_per_day: {levels: [1, 6], when: {scheme: [explicit, rk4], arm: hbv}}
""")
    assert names(spec) == [
        "hbv+scheme=sequential",
        "hbv+scheme=explicit+steps_per_day=1",
        "hbv+scheme=explicit+steps_per_day=6",
        "hbv+scheme=rk4+steps_per_day=1",
        "hbv+scheme=rk4+steps_per_day=6",
        "gr4j+scheme=sequential",
        "gr4j+scheme=explicit",
        "gr4j+scheme=rk4",
    ]


def test_a_factor_takes_no_part_where_its_key_means_nothing(study):
    spec = study("arms: {lstm: {model: lstm}, hbv: {}}\nfactors: {components: [1, 4]}\n")
    assert names(spec) == ["lstm", "hbv+components=1", "hbv+components=4"]
    spec = study("factors: {loss_weight: [0.1, 0.2], loss: [rmse_log, nse]}\n")
    assert names(spec) == ["loss_weight=0.1+loss=rmse_log", "loss=nse", "loss_weight=0.2+loss=rmse_log"]


def test_conditions_look_at_defaults_at_levels_and_at_other_factors_wherever_they_stand(study):
    spec = study("""
factors:
  rise: {levels: {off: {}, on: {capillary_rise: true}}, when: {numerics: exact}}
  raw: {levels: {kept: {}, raw: {raw_stores: true}}, when: {scheme: explicit, components: 16}}
  numerics: {exact: {scheme: implicit}, coarse: {scheme: explicit}}
""")
    assert names(spec) == ["off+exact", "kept+coarse", "raw+coarse", "on+exact"]


def test_values_of_conditions_may_be_lists_themselves(study):
    factors = "factors: {dynamic: [[], [BETA, FC]], scheme: {levels: [implicit, rk4], when: {dynamic: %s}}}\n"
    assert names(study(factors % "[FC, BETA]")) == ["dynamic=none", "dynamic=BETA-FC+scheme=implicit", "dynamic=BETA-FC+scheme=rk4"]
    assert len(names(study(factors % "[[FC, BETA], []]"))) == 4


def test_excluded_combinations_are_no_arms(study):
    spec = study("""
arms: {a: {}, b: {dropout: 0.1}}
factors: {components: [1, 4, 16], scheme: {seq: {scheme: sequential}, adj: {scheme: implicit}}}
exclude:
  - {arm: b, components: [4, 16]}
  - {scheme: adj, hidden_size: 8, components: 1}
""")
    assert [name.replace("components=", "") for name in names(spec)] == ["a+1+seq", "a+4+seq", "a+4+adj", "a+16+seq", "a+16+adj", "b+1+seq"]


# Designs

FACTORS = "factors: {components: [1, 4, 16], scheme: [sequential, implicit], hidden_size: [8, 16]}\n"


def levels(spec: StudySpec) -> list[tuple[int, str, int]]:
    return [(arm.model.components, arm.model.scheme, arm.model.hidden_size) for arm in spec.arms]


def test_one_at_a_time_around_the_first_levels_or_a_baseline(study):
    plain = [(1, "sequential", 8), (4, "sequential", 8), (16, "sequential", 8), (1, "implicit", 8), (1, "sequential", 16)]
    assert levels(study(FACTORS + "design: one_at_a_time\n")) == plain
    spec = study(FACTORS + "design: {kind: one_at_a_time, baseline: {components: 4, scheme: implicit}}\n")
    assert levels(spec) == [(4, "implicit", 8), (1, "implicit", 8), (16, "implicit", 8), (4, "sequential", 8), (4, "implicit", 16)]


def test_leave_one_out_of_the_last_levels_or_of_a_complete_model(study):
    assert levels(study(FACTORS + "design: leave_one_out\n")) == [
        (16, "implicit", 16),
        (1, "implicit", 16),
        (16, "sequential", 16),
        (16, "implicit", 8),
    ]
    spec = study(FACTORS + "design: {kind: leave_one_out, complete: {components: 4}, baseline: {components: 16}}\n")
    assert levels(spec) == [(4, "implicit", 16), (16, "implicit", 16), (4, "sequential", 16), (4, "implicit", 8)]


def test_a_list_of_combinations(study):
    spec = study("""
arms: {a: {}, b: {dropout: 0.1}}
factors:
  components: [1, 4]
  numerics: {seq: {}, adj: {scheme: implicit}}
  warmup_gradients: {levels: [false, true], when: {numerics: adj}}
design:
  kind: list
  cells:
    - {components: 1, numerics: seq}
    - {components: 4, numerics: adj, warmup_gradients: true, arm: b}
""")
    assert names(spec) == ["a+components=1+seq", "b+components=1+seq", "b+components=4+adj+warmup_gradients=true"]


# Laws

LEVELS = {
    "components": st.lists(st.integers(1, 20), min_size=1, max_size=3, unique=True),
    "hidden_size": st.lists(st.integers(1, 20), min_size=1, max_size=3, unique=True),
    "dropout": st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5]), min_size=1, max_size=3, unique=True),
    "scheme": st.lists(st.sampled_from(["sequential", "implicit", "explicit", "rk4"]), min_size=1, max_size=3, unique=True),
    "dynamic": st.lists(st.sampled_from([[], ["BETA"], ["BETA", "FC"]]), min_size=1, max_size=3, unique_by=str),
}
DESIGNS = st.fixed_dictionaries({}, optional=LEVELS).filter(bool)
LAWS = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def of(factors, **sections) -> str:
    return dump({"factors": factors, **sections})


@LAWS
@given(DESIGNS)
def test_a_full_design_has_every_combination_once(study, factors):
    spec = study(of(factors))
    assert len(spec.arms) == len({arm.settings for arm in spec.arms}) == prod(map(len, factors.values()))
    assert [dict(arm.levels).keys() for arm in spec.arms] == [factors.keys()] * len(spec.arms)


@LAWS
@given(DESIGNS, st.data())
def test_what_is_excluded_is_never_there_and_the_rest_always(study, factors, data):
    rule = {key: data.draw(st.sampled_from(levels)) for key, levels in factors.items() if data.draw(st.booleans())}
    kept = [point for point in product(*factors.values()) if any(point[list(factors).index(key)] != value for key, value in rule.items())]
    if not rule or not kept:
        return
    # A level may be left no arm, which is refused: it is given one elsewhere.
    try:
        spec = study(of(factors, exclude=[rule]))
    except SpecError as error:
        assert "is in no arm" in str(error)
        return
    assert len(spec.arms) == len(kept)
    for arm in spec.arms:
        model, training = arm.model, arm.training
        its = {**vars(model), **vars(training)}
        assert any(its[key] != (tuple(value) if isinstance(value, list) else value) for key, value in rule.items())


@LAWS
@given(DESIGNS, st.permutations(list(LEVELS)), st.sampled_from(["full", "one_at_a_time", "leave_one_out"]))
def test_trials_do_not_depend_on_the_order_of_factors(study, facts, factors, order, design):
    shuffled = {key: factors[key] for key in order if key in factors}
    try:
        one = study(of(factors, design=design))
    except SpecError as error:
        assert design == "leave_one_out" and "is set back to the same" in str(error)
        return
    assert plan(one, facts).trials.keys() == plan(study(of(shuffled, design=design)), facts).trials.keys()


@LAWS
@given(DESIGNS, st.sampled_from(["full", "one_at_a_time"]), st.booleans())
def test_a_stored_study_has_the_same_cells(study, facts, tmp_path, factors, design, arms):
    sections = {"arms": {"a": {}, "b": {"model": "lstm"}}} if arms else {}
    spec = study(of(factors, design=design, **sections))
    path = tmp_path / "stored.yaml"
    path.write_text(spec.text(), encoding="utf-8")
    again = read(path, name=spec.name)
    assert plan(again, facts) == plan(spec, facts)
    assert replace(again, source=spec.source) == spec
    assert again.text().partition("\n")[2] == spec.text().partition("\n")[2]


@LAWS
@given(DESIGNS)
def test_one_at_a_time_changes_one_factor_and_has_each_level(study, factors):
    spec = study(of(factors, design="one_at_a_time"))
    first, *others = [dict(arm.levels) for arm in spec.arms]
    assert [sum(first[key] != level for key, level in arm.items()) for arm in others] == [1] * len(others)
    assert len(spec.arms) == 1 + sum(len(levels) - 1 for levels in factors.values())


@pytest.mark.parametrize("said", [{"model": "lstm"}, {"model": "dpl"}, {"model": "lstm", "recipe": "kratzert2019", "optimizer": "adam"}])
def test_what_conditions_see_of_an_arm_is_what_it_gets(said):
    model, training = settings_of(said)
    its = {**vars(model), **vars(training), "model": model.kind}
    seen = {key: level_of(said, key) for key in SCIENCE_KEYS if has_meaning(said, key)}
    assert seen == {key: its[key] for key in seen}
    assert ("components" in seen, "loss_weight" in seen) == (model.kind == "dpl", training.loss == "rmse_log")


# What is refused

MANY = list(range(1, 200))


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ("arms: {}\n", "study.yaml:7: `arms`: is required: a name for each arm, and what it changes; or `factors`, and their levels"),
        ("arms: {a: {}}\ndesign: full\n", "study.yaml:8: `design`: has a meaning where there are `factors`; take it out"),
        ("arms: {a: {}}\nexclude: [{arm: a}]\n", "study.yaml:8: `exclude`: has a meaning where there are `factors`"),
        ("factors: [1]\n", "study.yaml:7: `factors`: needs a mapping of keys to values, got [1]"),
        ("factors: {components: 4}\n",
         "`factors.components`: needs a list of levels, such as [1, 4, 16], or names and what each says, got 4"),
        ("factors: {components: []}\n", "`factors.components`: needs a list of levels"),
        ("factors: {components: {}}\n", "`factors.components`: needs a list of levels"),
        ("factors: {components: [0]}\n", "study.yaml:7: `factors.components.0`: needs a number at least 1, got 0"),
        ("factors: {components: [1, 1]}\n",
         "`factors.components`: each level stands once and has a label of its own, 1 stands for several"),
        ("factors: {component: [1]}\n", "`factors.component.0`: `component` is no key of an arm, so that its levels need names and keys"),
        ("factors: {component: [1]}\n", "of keys, did you mean `components`?"),
        ("factors: {x: {a: {component: 1}}}\n", "study.yaml:7: `factors.x.a.component`: unknown key; did you mean `components`?"),
        ("factors: {x: {a: {external: t.csv}}}\n", "`factors.x.a.external`: unknown key here; it belongs in `arms`"),
        ("factors: {x: {a b: {components: 1}}}\n", "a level's name holds letters, digits, `_`, `-`, `+`, `=` and `.`, got 'a b'"),
        ("factors: {arm: [1]}\n", "`factors.arm`: arm, fold, seed are of every study, and no names of factors"),
        ("factors: {1st: {a: {}}}\n", "a factor's name begins with a letter"),
        ("factors: {components: {levels: [1], wen: {scheme: rk4}}}\n", "`factors.components.wen`: unknown key; did you mean `when`?"),
        ("factors: {components: {levels: [1], when: {shceme: rk4}}}\n",
         "`factors.components.when.shceme`: unknown key; did you mean `scheme`?"),
        ("factors: {components: {levels: [1], when: {scheme: rk5}}}\n",
         "`factors.components.when.scheme`: unknown scheme 'rk5'; did you mean"),
        ("factors: {components: {levels: [1], when: [rk4]}}\n", "`factors.components.when`: needs keys and the values that they must have"),
        ("factors: {components: {levels: [1], when: {}}}\n", "`factors.components.when`: needs keys and the values that they must have"),
        ("factors: {components: {levels: [1], when: {components: 1}}}\n", "`components` sets components itself, so it cannot depend on it"),
        ("factors: {components: {levels: [1, 2], when: {scheme: rk4}}}\n",
         "`factors.components.when`: `components` takes part in no arm, since its condition never holds"),
        ("arms: {a: {}}\nfactors: {components: {levels: [1], when: {arm: b}}}\n",
         "`factors.components.when.arm`: there is no arm 'b' in `arms`; known: a"),
        (
            "factors:\n"
            "  x: {levels: {a: {components: 1}, b: {components: 2}}, when: {y: c}}\n"
            "  y: {levels: {c: {dropout: 0}, d: {dropout: 0.1}}, when: {x: a}}\n",
            "conditions go in a circle, x needs y needs x; take out one of them",
        ),
        ("arms: {l: {model: lstm}}\nfactors: {components: [1, 4]}\n",
         "`components` takes part in no arm, since what its levels say has a meaning in none of them"),
        ("arms: {a: {components: 3}}\nfactors: {components: [1, 4]}\n",
         "study.yaml:7: `arms.a.components`: the factor `components` varies this, and the arm fixes it"),
        ("factors: {x: {a: {components: 1}}, components: [1, 2]}\n", "`factors.components`: `components` is said by the factor `x` too"),
        ("factors: {scheme: [sequential, rk4], steps_per_day: [1, 6]}\n",
         "`factors.steps_per_day.1`: the sequential scheme's limits are rates per day: steps_per_day must be 1, got 6; write 1, or"),
        ("arms: {l: {model: lstm}, d: {}}\nfactors: {x: {a: {scheme: rk4, dropout: 0}}}\n",
         "`factors.x.a.scheme`: has no meaning for model lstm; take it out, or write `model: dpl` (arm l+a;"),
        ("factors: {x: {a: {components: 1}, b: {}}, components: {levels: [1, 2], when: {x: b}}}\n",
         "arms `a` and `b+components=1` come to the same settings"),
        ("factors: {y: {b+c: {}, c: {hidden_size: 3}}}\narms: {a: {}, a+b: {epochs: 3}}\n", "two arms would be called a+b+c"),
        # Exclusions
        ("factors: {components: [1, 4]}\nexclude: [{components: 5}]\n",
         "study.yaml:8: `exclude.0`: leaves nothing out, for no arm is like this"),
        ("factors: {components: [1, 4]}\nexclude: [{compnents: 4}]\n", "`exclude.0.compnents`: unknown key; did you mean `components`?"),
        ("factors: {components: [1, 4]}\nexclude: [{}]\n", "`exclude.0`: needs keys and the values that they must have"),
        ("factors: {components: [1, 4]}\nexclude: {components: 4}\n", "`exclude`: needs a list, got {components: 4}"),
        ("factors: {components: [1, 4]}\nexclude: [{components: [1, 4]}]\n", "`exclude`: no arm is left; exclude less"),
        ("factors: {components: [1, 4], dropout: [0, 0.1]}\nexclude: [{components: 4}]\n",
         "`factors.components.1`: the level 4 of `components` is in no arm"),
        ("factors: {x: {a: {}, b: {dropout: 0}}}\nexclude: [{x: c}]\n", "`exclude.0.x`: `x` has no level 'c'; known: a, b"),
        # Designs
        ("factors: {components: [1]}\ndesign: fractional\n",
         "`design.kind`: unknown design 'fractional'; known: full, one_at_a_time, leave_one_out, list"),
        ("factors: {components: [1]}\ndesign: 3\n", "`design`: needs a mapping of keys to values, got 3"),
        ("factors: {components: [1]}\ndesign: {kind: full, basline: {}}\n", "`design.basline`: unknown key; did you mean `baseline`?"),
        ("factors: {components: [1]}\ndesign: {kind: full, baseline: {components: 1}}\n",
         "`design.baseline`: has no meaning for design full; take it out, or write `kind: one_at_a_time`"),
        ("factors: {components: [1]}\ndesign: {kind: one_at_a_time, baseline: {components: 2}}\n",
         "`design.baseline.components`: `components` has no level 2; known: 1"),
        ("factors: {components: [1]}\ndesign: {kind: one_at_a_time, baseline: {component: 1}}\n",
         "`design.baseline.component`: unknown factor; did you mean `components`?"),
        ("factors: {components: [1]}\ndesign: leave_one_out\n",
         "the complete model has components at 1, and is set back to the same; name another level"),
        ("factors: {components: [1]}\ndesign: list\n", "`design.cells`: is required: [{components: 1}, ...]"),
        ("factors: {components: [1], scheme: [rk4]}\ndesign: {kind: list, cells: [{scheme: rk4}]}\n",
         "`design.cells.0`: names no level of `components`, which takes part here: 1"),
        ("factors: {components: [1]}\ndesign: {kind: list, cells: [{arm: a, components: 1}]}\n",
         "`design.cells.0.arm`: there is no arm 'a' in `arms`"),
        (
            "factors: {scheme: [rk4, implicit], steps_per_day: {levels: [2], when: {scheme: rk4}}}\n"
            "design: {kind: list, cells: [{scheme: implicit, steps_per_day: 2}, {scheme: rk4, steps_per_day: 2}]}\n",
            "`design.cells.0.steps_per_day`: `steps_per_day` takes no part in this combination; take it out here",
        ),
        (f"factors: {{components: {MANY}, hidden_size: {MANY}}}\n", "`factors`: 199 x 199 levels are more than 20000 combinations"),
        # Claims
        ("arms: {a: {}, b: {dropout: 0}}\nfactors: {components: [1, 4]}\ncompare: [{better: a, than: b, metric: nse}]\n",
         "`compare.0.better`: there is no arm 'a'; factors make these of it: a+components=1, a+components=4"),
        ("factors: {components: [1, 4]}\ncompare: [{better: component=1, than: components=4, metric: nse}]\n",
         "there is no arm 'component=1'; did you mean `components=1`?"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_design_is_one_line_with_its_place(study, sections, words):
    assert words in said(study, sections)


def test_an_arm_of_a_claim_may_be_one_that_factors_made(study):
    spec = study("arms: {a: {}}\nfactors: {components: [1, 4]}\ncompare: [{better: a+components=4, than: a+components=1, metric: nse}]\n")
    assert spec.compare[0].better == "a+components=4"
