"""What is said of a study that was launched before in another form."""

from collections.abc import Callable
from pathlib import Path

import pytest

from studyhub.study.changes import changes
from studyhub.study.spec import read

BOTH = "  sequential: {scheme: sequential}\n  implicit: {scheme: implicit}\n"
SPLIT = "train: [1986-10-01, 1991-09-30], test"
SEARCH = "seeds: [1, 2]\nsearch: {parameters: {dropout: {low: 0, high: %s}}, budget: %s, validation: {basins: 0.25}, arms: [implicit]}"


@pytest.fixture
def told(write) -> Callable[..., list[str]]:
    """What is said when one study takes another's place; each is the plain one with changes."""
    return lambda before, after: changes(read(write(*before, name="before.yaml")), read(write(*after, name="after.yaml")))


def test_what_no_trial_hangs_on_is_not_told(told):
    assert told((), ()) == []
    assert told((), (("question: Does", "question: How does"), ("metric: kge}", "metric: nse}\nresources: {cpus: 2}"))) == []


def test_arms_that_are_new_gone_renamed_and_altered(told):
    assert told((), ((BOTH, BOTH + "  rk4: {scheme: rk4}\n"),)) == ["new: rk4"]
    assert told(((BOTH, BOTH + "  rk4: {scheme: rk4}\n"),), ()) == ["no longer in the study: rk4 (what was run of it stays in the store)"]
    renamed = ((BOTH, BOTH.replace("  implicit", "  adjoint")), ("better: implicit", "better: adjoint"))
    assert told((), renamed) == ["renamed: implicit is now adjoint"]
    altered = ((BOTH, BOTH.replace("scheme: implicit", "scheme: rk4, components: 4, dynamic: [BETA]")),)
    assert told((), altered) == ["altered: implicit: scheme implicit -> rk4, components 16 -> 4, dynamic none -> BETA"]
    to_lstm = ((BOTH, BOTH.replace("{scheme: implicit}", "{model: lstm, loss: rmse_log}")),)
    (line,) = told((), to_lstm)
    assert line.startswith("altered: implicit: model dpl -> lstm, physics hbv -> -, scheme implicit -> -")


def test_what_is_shared_alters_every_arm(told):
    assert told((), (("epochs: 2", "epochs: 3"),)) == [f"altered: {arm}: epochs 2 -> 3" for arm in ("sequential", "implicit")]


def test_where_an_arm_starts_is_part_of_it_and_its_parents_name_is_not(told):
    child = BOTH + "  child: {scheme: rk4, init_from: {arm: sequential}}\n"
    fresh = BOTH + "  child: {scheme: rk4}\n"
    assert told(((BOTH, child),), ((BOTH, fresh),)) == ["altered: child: init_from sequential -> none"]
    both = child.replace("sequential: {", "published: {").replace("arm: sequential", "arm: published").replace("child", "tuned")
    renamed = told(((BOTH, child),), ((BOTH, both), ("than: sequential", "than: published")))
    assert renamed == ["renamed: sequential is now published", "renamed: child is now tuned"]


def test_seeds_days_and_data_are_of_every_cell(told):
    assert told((), (("seeds: [1, 2]", "seeds: [1, 2, 3]"),)) == ["seeds: 1, 2 -> 1, 2, 3"]
    assert told((), ((SPLIT, "train: [1986-10-01, 1990-09-30], test"),)) == [
        "split, for every cell: train 1986-10-01, 1991-09-30 -> 1986-10-01, 1990-09-30"
    ]
    assert told((), (("basins: 4, years: 10", "basins: 5, years: 10, seed: 3"),)) == ["data, for every cell: basins 4 -> 5, seed 1 -> 3"]
    assert told((), (("{reader: synthetic, basins: 4, years: 10}", "{shards: x}"),)) == [
        "data, for every cell: reader synthetic -> none, basins 4 -> all, years 10 -> none, seed 1 -> none, shards none -> x"
    ]


def test_searches(told):
    seeds = "seeds: [1, 2]"
    assert told((), ((seeds, SEARCH % (0.5, 4)),))[-1] == "search: new"
    assert told(((seeds, SEARCH % (0.5, 4)),), ())[-1] == "search: taken out; its arms train as they are"
    assert told(((seeds, SEARCH % (0.5, 4)),), ((seeds, SEARCH % (0.25, 8)),)) == [
        "altered: implicit: dropout 0..0.5 -> 0..0.25",
        "search: budget 4 -> 8, dropout 0..0.5 -> 0..0.25",
    ]


def test_a_study_and_its_stored_text_are_the_same(write, tmp_path: Path):
    spec = read(write())
    (tmp_path / "spec.yaml").write_text(spec.text())
    assert changes(read(tmp_path / "spec.yaml"), spec) == []
