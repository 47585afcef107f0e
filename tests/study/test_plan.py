import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import date
from pathlib import Path

import pytest

from studyhub.errors import DataError
from studyhub.study.describe import describe, differences
from studyhub.study.lists import Frozen
from studyhub.study.plan import DataFacts, kind_of, plan, trial_id
from studyhub.study.settings import Columns, External, Period, Split, Trial
from studyhub.study.spec import read
from studyhub.study.splits import LeftOut
from studyhub.study.versions import SCIENCE_VERSION


@pytest.fixture
def trial(write, facts) -> Trial:
    return next(iter(plan(read(write()), facts).trials.values()))


def ids(path, facts, *overrides: str) -> dict[tuple[str, int], str]:
    return {(cell.arm, cell.seed): cell.trial for cell in plan(read(path, overrides), facts).cells}


def test_a_cell_for_every_arm_and_seed(write, facts):
    planned = plan(read(write()), facts)
    assert [(cell.arm, cell.seed) for cell in planned.cells] == [("sequential", 1), ("sequential", 2), ("implicit", 1), ("implicit", 2)]
    assert {cell.fold for cell in planned.cells} == {1}
    assert [cell.trial for cell in planned.cells] == list(planned.trials)
    for cell in planned.cells:
        trial = planned.trials[cell.trial]
        assert (trial.seed, trial.model.scheme) == (cell.seed, cell.arm)
        assert trial.train_basins == trial.test_basins == facts.basins
        assert trial.data == f"{sorted(facts.basins)} ['pet', 'prcp', 'qobs', 'tmean']"
        assert len(cell.trial) == 16
        assert trial_id(trial) == cell.trial


def test_ids_do_not_depend_on_names_resources_claims_or_paths(write, facts, tmp_path):
    before = ids(write(), facts)
    renamed = write(
        ("  sequential: {", "  published: {may_diverge: true, "),
        ("than: sequential", "than: published"),
        ("question: Does", "question: How does"),
        ("metric: kge}", "metric: nse}\nresources: {cpus: 2, gpus: 0.5}"),
        name="other.yaml",
    )
    after = ids(renamed, facts)
    assert list(before.values()) == list(after.values())


def test_ids_do_not_depend_on_how_settings_are_written(write, facts):
    before = ids(write(("hidden_size: 8", "dynamic: [BETA, FC]\n  hidden_size: 8")), facts)
    again = ids(write(("hidden_size: 8", "hidden_size: 8\n  dynamic: [FC, BETA]\n  components: 16\n  dropout: 0.50")), facts)
    assert before == again


@pytest.mark.parametrize(
    "override",
    [
        "shared.forcing=[prcp, tmean, pet, srad]",
        "shared.attributes=[p_mean]",
        "shared.hidden_size=9",
        "shared.dropout=0.4",
        "shared.recipe=kratzert2019",
        "shared.capillary_rise=true",
        "shared.components=3",
        "shared.dynamic=[BETA]",
        "shared.fixed={BETAET: 1}",
        "shared.warmup_gradients=true",
        "shared.static_from=last_test_day",
        "training.epochs=3",
        "training.batch=3",
        "training.window=30",
        "training.updates_per_epoch=3",
        "training.optimizer=adam",
        "training.learning_rate=0.5",
        "training.gradient_norm=1",
        "training.loss=nse",
        "training.loss_weight=0.3",
        "split.train=[1986-10-01, 1991-09-29]",
        "split.validation=[1991-10-01, 1992-09-30]",
        "split.test=[1993-10-02, 1995-09-30]",
        "split.warmup=300",
        "split.test_warmup=365",
    ],
)
def test_ids_change_with_every_science_setting(write, facts, override):
    path = write()
    before, after = ids(path, facts), ids(path, facts, override)
    assert before.keys() == after.keys()
    assert not set(before.values()) & set(after.values())


def test_ids_change_with_every_part_of_a_trial(trial):
    day = Period(date(2000, 1, 1), date(2000, 1, 1))
    others = {
        "model": replace(trial.model, scheme="rk4", steps_per_day=4, raw_stores=True),
        "training": replace(trial.training, checkpoint="best"),
        "split": Split(day, day),
        "train_basins": trial.train_basins[:-1],
        "test_basins": trial.test_basins[:-1],
        "seed": 3,
        "data": "another hash",
        "dtype": "float64",
        "fill": "interpolate:5",
        "backend": "cuda",
        "parent": "0123456789abcdef",
    }
    assert set(others) == {field.name for field in fields(Trial)}, "a new part of a trial must be part of its id"
    found = {trial_id(trial), *(trial_id(replace(trial, **{name: value})) for name, value in others.items())}
    assert len(found) == 1 + len(others)


@pytest.mark.parametrize("part", ["model", "training", "split"])
def test_ids_change_with_every_field_of_the_settings(trial, part):
    settings = getattr(trial, part)
    found = {trial_id(trial)}
    for field in fields(settings):
        changed = replace(settings, **{field.name: ("something", "else")})
        found.add(trial_id(replace(trial, **{part: changed})))
    assert len(found) == 1 + len(fields(settings))


@pytest.mark.parametrize("room", list(SCIENCE_VERSION))
def test_ids_change_with_the_science_version_of_every_room(trial, monkeypatch, room):
    before = trial_id(trial)
    monkeypatch.setitem(SCIENCE_VERSION, room, SCIENCE_VERSION[room] + 1)
    assert trial_id(trial) != before


def test_ids_are_the_same_in_every_process(write, facts, tmp_path):
    program = f"""
from studyhub.study.lists import Frozen
from studyhub.study.plan import DataFacts, plan
from studyhub.study.spec import read
spec = read({str(write())!r})
called = {(facts.basins, facts.variables, facts.attribute_names)!r}
facts = DataFacts(*called, lambda used, variables: f"{{sorted(used)}} {{sorted(variables)}}")
print(*(cell.trial for cell in plan(spec, facts).cells))
"""
    here = " ".join(cell.trial for cell in plan(read(write()), facts).cells)
    environment = os.environ | {"PYTHONHASHSEED": "7"}
    there = subprocess.run([sys.executable, "-c", program], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert there.stdout.split() == here.split()


def test_basins_of_shards_are_chosen_in_the_order_of_the_data(write, facts):
    def basins(text: str) -> tuple[str, ...]:
        path = write(("{reader: synthetic, basins: 4, years: 10}", text))
        return next(iter(plan(read(path), facts).trials.values())).test_basins

    assert basins("{shards: x}") == facts.basins
    assert basins("{shards: x, basins: [basin-3, basin-1]}") == ("basin-1", "basin-3")
    assert basins("{shards: x, basins: [basin-3, basin-1], exclude: [basin-1]}") == ("basin-3",)
    with pytest.raises(DataError, match="`data.exclude` names basins that x does not have: basin-9; did you mean `basin-"):
        basins("{shards: x, exclude: [basin-9]}")
    with pytest.raises(DataError, match="`data.basins` names basins that x does not have: other"):
        basins("{shards: x, basins: [other, basin-1]}")
    with pytest.raises(DataError, match="leaves no basin"):
        basins("{shards: x, basins: [basin-1], exclude: [basin-1]}")


def test_an_lstm_hashes_only_what_it_reads(write, facts):
    path = write(("sequential: {scheme: sequential}", "lstm: {model: lstm, forcing: daymet}"), ("than: sequential", "than: lstm"))
    first = next(iter(plan(read(path), facts).trials.values()))
    assert first.data.endswith("['prcp', 'qobs', 'srad', 'tmax', 'tmin', 'vp']")


def test_what_tells_arms_apart(write, facts):
    lstm = "sequential: {scheme: sequential}\n  lstm: {model: lstm, forcing: daymet, gradient_norm: 1, batch: 100}"
    spec = read(write(("sequential: {scheme: sequential}", lstm), ("hidden_size: 8", "dynamic: [FC, BETA]")))
    keys, rows = differences(spec.arms)
    assert keys == ("model", "forcing", "scheme", "gradient_norm", "loss")
    assert rows == [
        ("sequential", "dpl", "hbv", "sequential", "none", "rmse_log"),
        ("lstm", "lstm", "daymet", "-", "1.0", "rmse"),
        ("implicit", "dpl", "hbv", "implicit", "none", "rmse_log"),
    ]
    text = describe(spec, plan(spec, facts))
    assert "trials     6 (3 arms x 2 seeds), 4 basins" in text
    assert "claim      implicit is better than sequential in kge" in text
    assert "lstm        lstm   daymet   -           1.0            rmse" in text


def test_arms_of_another_physics(write, facts):
    gr4j = "sequential: {scheme: sequential}\n  gr4j: {physics: gr4j, dynamic: [X4, X1], fixed: {X2: -0.5}, forcing: [tmean]}"
    spec = read(write(("sequential: {scheme: sequential}", gr4j)))
    assert (spec.arm("gr4j").model.dynamic, spec.arm("gr4j").model.fixed) == (("X1", "X4"), (("X2", -0.5),))
    keys, rows = differences(spec.arms)
    assert keys == ("forcing", "physics", "scheme", "dynamic", "fixed")
    assert rows[1] == ("gr4j", "tmean", "gr4j", "sequential", "X1 X4", "X2:-0.5")
    trials = plan(spec, facts)
    assert len(trials.trials) == 6
    read_by = {trial.model.physics: trial.data for trial in trials.trials.values()}
    assert read_by["gr4j"].endswith("['pet', 'prcp', 'qobs', 'tmean']")


# External arms


@pytest.fixture
def with_external(write, tmp_path) -> Callable[..., Path]:
    """Write the plain study with one more arm, whose table holds ``content``."""

    def with_external(*changes: tuple[str, str], content: str = "any table", file: str = "sim.csv", columns: str = "{}") -> Path:
        table = tmp_path / file
        table.parent.mkdir(parents=True, exist_ok=True)
        table.write_text(content)
        return write(("seeds: [1, 2]", f"  sim: {{external: {table}, columns: {columns}}}\nseeds: [1, 2]"), *changes)

    return with_external


def external_id(path: Path, facts: DataFacts, *overrides: str) -> str:
    return ids(path, facts, *overrides)["sim", 0]


def test_an_external_arm_has_one_cell_and_changes_no_other(write, with_external, facts):
    before = plan(read(write()), facts)
    after = plan(read(with_external()), facts)
    assert after.cells[: len(before.cells)] == before.cells
    (cell,) = after.cells[len(before.cells) :]
    assert (cell.arm, cell.fold, cell.seed) == ("sim", 1, 0)
    assert after.trials == before.trials
    external = after.externals[cell.trial]
    table = "3cdcbbcfedb8f6aa"  # sha256 of "any table"
    assert external == External(
        table, Columns(), Period(date(1993, 10, 1), date(1995, 9, 30)), facts.basins, f"{sorted(facts.basins)} ['qobs']"
    )
    assert trial_id(external) == cell.trial and len(cell.trial) == 16
    assert after.basins == before.basins == facts.basins


def test_the_id_of_an_external_arm_is_that_of_its_table_and_the_days_scored(with_external, facts):
    before = external_id(with_external(), facts)
    same = (
        "training.epochs=3",
        "seeds=[7]",
        "split.train=[1986-10-01, 1990-09-30]",
        "split.test_warmup=1",
        "compare=[]",
        "resources.cpus=2",
    )
    assert external_id(with_external(file="elsewhere/other.csv"), facts, *same) == before
    others = [
        external_id(with_external(content="another table"), facts),
        external_id(with_external(columns="{qsim: q}"), facts),
        external_id(with_external(), facts, "split.test=[1993-10-01, 1995-09-29]"),
        external_id(with_external(), replace(facts, basins=facts.basins[1:])),
        external_id(with_external(), replace(facts, hash=lambda used, variables: "other data")),
    ]
    assert len({before, *others}) == 1 + len(others)


def test_the_id_of_an_external_arm_changes_with_every_part_and_with_the_evaluation_alone(with_external, facts, monkeypatch):
    (external,) = plan(read(with_external()), facts).externals.values()
    others = {field.name: replace(external, **{field.name: ("something", "else")}) for field in fields(External)}
    before = trial_id(external)
    assert len({before, *map(trial_id, others.values())}) == 1 + len(others)
    monkeypatch.setitem(SCIENCE_VERSION, "training", 99)
    assert trial_id(external) == before
    monkeypatch.setitem(SCIENCE_VERSION, "evaluation", 99)
    assert trial_id(external) != before


def test_a_table_that_is_not_there_is_named(with_external, facts, tmp_path):
    spec = read(with_external())
    (tmp_path / "sim.csv").unlink()
    with pytest.raises(DataError, match=r"sim\.csv: arm `sim` needs this table \(CSV or Parquet\), there is none; a path starts"):
        plan(spec, facts)
    (tmp_path / "sim.csv").mkdir()
    with pytest.raises(DataError, match="it is a folder"):
        plan(spec, facts)


def test_what_tells_external_arms_apart(with_external, facts, tmp_path):
    (tmp_path / "other.csv").write_text("other")
    spec = read(with_external())
    keys, rows = differences(spec.arms)
    assert (keys, rows[-1]) == (("model", "scheme"), ("sim", "external", "-"))
    text = describe(spec, plan(spec, facts))
    assert "trials     4 (2 arms x 2 seeds) and 1 external, 4 basins" in text
    other = f"  other: {{external: {tmp_path / 'other.csv'}, columns: {{qsim: q}}}}"
    spec = read(with_external(("  sequential: {scheme: sequential}", other), ("than: sequential", "than: other")))
    keys, rows = differences(spec.arms)
    assert keys == ("model", "external", "columns")
    assert [row for row in rows if row[0] != "implicit"] == [
        ("other", "external", "other.csv", "qsim:q"),
        ("sim", "external", "sim.csv", "as they are"),
    ]


def test_ten_thousand_trials_are_planned_in_two_seconds(write, facts):
    basins = tuple(f"{number:08}" for number in range(671))
    facts = replace(facts, basins=basins, hash=lambda used, variables: "hash")
    arms = "\n".join(f"  arm{number}: {{components: {number + 1}}}" for number in range(50))
    path = write(
        ("  sequential: {scheme: sequential}\n  implicit: {scheme: implicit}", arms),
        ("seeds: [1, 2]", f"seeds: {list(range(200))}"),
        ("better: implicit, than: sequential", "better: arm0, than: arm1"),
    )
    spec = read(path)
    begun = time.process_time()
    planned = plan(spec, facts)
    assert time.process_time() - begun < 2.0
    assert len(planned.trials) == len(planned.cells) == 10_000


# Folds


@pytest.fixture
def places(facts) -> DataFacts:
    """The four basins, with facts."""
    continents = ("Asia", "Europe", "Asia", "Europe")
    known = {basin: {"continent": where, "flagged": []} for basin, where in zip(facts.basins, continents, strict=True)}
    known["basin-4"]["flagged"] = ["gaps", "spikes"]
    return replace(facts, metadata=known, quality={"gaps": {}, "spikes": {}, "units": {}})


def with_split(write, text: str, *changes: tuple[str, str], data: str = "{shards: x}") -> Path:
    split = ("split: {train: [1986", f"split: {{{text}, train: [1986")
    return write(split, ("{reader: synthetic, basins: 4, years: 10}", data), *changes)


def test_a_cell_for_every_arm_fold_and_seed(write, places):
    spec = read(with_split(write, "kind: pur, by: continent"))
    planned = plan(spec, places)
    assert [(cell.arm, cell.fold, cell.seed) for cell in planned.cells[:4]] == [
        ("sequential", fold, seed) for fold in (1, 2) for seed in (1, 2)
    ]
    assert len(planned.cells) == len(planned.trials) == 8
    assert [fold.name for fold in planned.folds] == ["Asia", "Europe"]
    for cell in planned.cells:
        trial, fold = planned.trials[cell.trial], planned.folds[cell.fold - 1]
        assert (trial.train_basins, trial.test_basins) == (fold.train_basins, fold.test_basins)
        assert trial.data == f"{sorted(places.basins)} ['pet', 'prcp', 'qobs', 'tmean']"
    assert planned.basins == ("basin-1", "basin-3", "basin-2", "basin-4")
    text = describe(spec, planned)
    assert "trials     8 (2 arms x 2 folds x 2 seeds), 4 basins" in text
    assert "folds      Asia    2 basins train, 2 are tested\n           Europe  2 basins train, 2 are tested\n" in text


def test_a_trial_is_what_its_lists_and_periods_are_however_they_came_about(write, places, tmp_path):
    spec = read(with_split(write, "kind: pub, folds: 2"))
    planned = plan(spec, places)
    path = tmp_path / "split.csv"
    path.write_text(Frozen.of(planned.folds, spec.split).to_csv())
    days = "train: [1986-10-01, 1991-09-30], test: [1993-10-01, 1995-09-30]"
    for frozen in (f"kind: frozen, file: {path}", f"kind: frozen, file: {path}, {days}"):
        again = read(write((days, frozen), ("{reader: synthetic, basins: 4, years: 10}", "{shards: x}")))
        assert again.split == spec.split
        assert plan(again, places) == planned
    stored = tmp_path / "stored.yaml"
    stored.write_text(again.text())
    path.unlink()
    assert read(stored).split == spec.split, "a stored study is read without its lists"


def test_a_wider_study_shares_the_trials_of_one_region(write, places):
    every = plan(read(with_split(write, "kind: pur, by: continent")), places)
    one = plan(read(with_split(write, "kind: pur, by: continent, groups: [[Europe]]")), places)
    assert {cell.fold for cell in one.cells} == {1}
    assert {cell.trial for cell in one.cells} == {cell.trial for cell in every.cells if cell.fold == 2}


def test_flagged_basins_leave_and_are_said(write, places):
    spec = read(write(("{reader: synthetic, basins: 4, years: 10}", "{shards: x, without: [units, spikes, gaps]}")))
    planned = plan(spec, places)
    assert planned.basins == places.basins[:3]
    assert planned.left_out == (LeftOut("study", "flagged by the quality check spikes", ("basin-4",)),)
    assert "left out   1 basin, of the study: flagged by the quality check spikes (basin-4)" in describe(spec, planned)
    with pytest.raises(DataError, match="`data.without` names a quality check that was not made of x: spike; did you mean `spikes`?"):
        plan(read(write(("{reader: synthetic, basins: 4, years: 10}", "{shards: x, without: [spike]}"))), places)
    with pytest.raises(DataError, match="`data` leaves no basin of the 4 in x; exclude fewer"):
        plan(read(write(("{reader: synthetic, basins: 4, years: 10}", "{shards: x, basins: [basin-4], without: [gaps]}"))), places)


def test_pet_of_two_kinds_is_remarked(write, places):
    def told(methods: tuple[str, ...], shards: str = "[x, y]") -> str:
        rows = zip(places.basins, methods, ("x", "x", "y", "y"), strict=True)
        known = {basin: {"pet_method": method, "dataset": dataset} for basin, method, dataset in rows}
        spec = read(write(("{reader: synthetic, basins: 4, years: 10}", f"{{shards: {shards}}}")))
        return describe(spec, plan(spec, replace(places, metadata=known)))

    assert "remark     PET is by Hargreaves in 3 basins, as y gives it in 1 basin: models" in told(("hargreaves",) * 3 + ("given",))
    assert "PET is as x gives it in 2 basins, as y gives it in 2 basins" in told(("given",) * 4)
    assert "remark" not in told(("oudin",) * 4)
    assert "remark" not in told(("",) * 4)  # data of earlier versions do not say
    assert "remark" not in told(("hargreaves",) * 3 + ("given",), "x")


def test_an_external_arm_has_a_cell_for_every_fold(with_external, places):
    split = ("split: {train: [1986", "split: {kind: pur, by: continent, train: [1986")
    planned = plan(read(with_external(split, ("{reader: synthetic, basins: 4, years: 10}", "{shards: x}"))), places)
    cells = [cell for cell in planned.cells if cell.arm == "sim"]
    assert [(cell.fold, cell.seed) for cell in cells] == [(1, 0), (2, 0)]
    tested = [planned.externals[cell.trial].test_basins for cell in cells]
    assert tested == [("basin-1", "basin-3"), ("basin-2", "basin-4")]
    assert planned.externals[cells[0].trial].data == "['basin-1', 'basin-3'] ['qobs']"


def test_gaps_that_are_filled_are_part_of_a_trial(write, facts):
    path = write(("{reader: synthetic, basins: 4, years: 10}", '{shards: x, fill: "interpolate:05"}'))
    (first, *_) = plan(read(path), facts).trials.values()
    assert first.fill == "interpolate:5"


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        ("kind: temporal", False),
        ("kind: pub", False),
        ("kind: pub, stratify: none", False),
        ("kind: pub, stratify: climate_group", True),
        ("kind: pur, by: continent", True),
        ("min_years: {train: 1}", True),
        ("long_record: {test: 1}", True),
    ],
)
def test_whether_the_facts_of_virtual_basins_are_needed(write, text, needed):
    assert read(with_split(write, text, data="{basins: 4}")).needs_facts == needed
    assert read(with_split(write, text, data="{basins: 4, without: [gaps]}")).needs_facts


def test_what_the_data_lack_is_one_message(write, facts):
    arms = "sequential: {scheme: sequential}\n  lstm: {model: lstm, forcing: [prcp, runoff, tmax2], attributes: [p_mean, sandy]}"
    path = write(("sequential: {scheme: sequential}", arms))
    with pytest.raises(DataError) as caught:
        plan(read(path), facts)
    lacks = "the world of virtual basins lacks what is needed by arm `lstm`: variables runoff, tmax2 and attribute sandy"
    assert str(caught.value).startswith(f"{lacks} (of variables, known: prcp, ")
    bare = replace(facts, variables=("prcp", "tmean", "PET"), attribute_names=facts.attribute_names)
    with pytest.raises(DataError, match="arms `sequential`, `implicit`: variables pet, qobs .of variables, did you mean `PET`?"):
        plan(read(write()), bare)
    assert plan(read(write(("hidden_size: 8", "forcing: [prcp, swe_obs]"))), replace(facts, variables=(*facts.variables, "swe_obs")))


def test_ten_thousand_trials_in_ten_folds_are_planned_in_two_seconds(write, facts):
    basins = tuple(f"{number:08}" for number in range(671))
    facts = replace(facts, basins=basins, hash=lambda used, variables: "hash")
    arms = "\n".join(f"  arm{number}: {{components: {number + 1}}}" for number in range(50))
    path = with_split(
        write,
        "kind: pub",
        ("  sequential: {scheme: sequential}\n  implicit: {scheme: implicit}", arms),
        ("seeds: [1, 2]", f"seeds: {list(range(20))}"),
        ("better: implicit, than: sequential", "better: arm0, than: arm1"),
    )
    spec = read(path)
    begun = time.process_time()
    planned = plan(spec, facts)
    assert time.process_time() - begun < 2.0
    assert len(planned.trials) == len(planned.cells) == 10_000


# Backends and kinds


def test_the_backend_is_part_of_an_id(write, facts):
    spec = read(write())
    cpu, cuda = plan(spec, facts), plan(spec, facts, "cuda")
    assert {trial.backend for trial in cuda.trials.values()} == {"cuda"}
    assert not cpu.trials.keys() & cuda.trials.keys()


def test_trials_of_one_kind_cost_the_same(trial):
    def alike(**changes) -> bool:
        return kind_of(replace(trial, **changes)) == kind_of(trial)

    model, training, split = trial.model, trial.training, trial.split
    assert alike(seed=9, data="another hash", parent="0123456789abcdef")
    assert alike(test_basins=tuple(f"other-{basin}" for basin in trial.test_basins))
    assert alike(training=replace(training, epochs=9, learning_rate=((1, 0.5),), loss_weight=0.4))
    assert alike(model=replace(model, forcing=("srad", *model.forcing[1:]), dropout=0.1))
    later = Period(date(1988, 10, 1), date(1993, 9, 30))
    assert later.days == split.train.days and alike(split=replace(split, train=later))
    dearer = [
        {"backend": "cuda"},
        {"dtype": "float64"},
        {"train_basins": trial.train_basins[1:]},
        {"test_basins": trial.test_basins[1:]},
        *({"model": replace(model, **{key: value})} for key, value in DEARER.items()),
        *({"training": replace(training, **{key: value})} for key, value in {"batch": 7, "window": 30, "updates_per_epoch": 2}.items()),
        {"split": replace(split, validation=split.test)},
        {"split": replace(split, warmup=100)},
        {"split": replace(split, test=Period(split.test.start, split.test.start))},
    ]
    assert len({kind_of(trial), *(kind_of(replace(trial, **changes)) for changes in dearer)}) == 1 + len(dearer)


DEARER = {
    "hidden_size": 9,
    "scheme": "implicit",
    "components": 3,
    "steps_per_day": 6,
    "dynamic": ("BETA",),
    "capillary_rise": True,
    "warmup_gradients": True,
    "dropout": 0.0,
    "forcing": ("prcp", "pet"),
}
