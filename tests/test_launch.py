"""Folds from the study file to the results of a launch, by simulations from elsewhere: nothing is trained."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import undisturbed

from studyhub import cli
from studyhub.data.record import Basin
from studyhub.data.shards import write
from studyhub.launch import launch, prepare
from studyhub.study.leases import RESULT
from studyhub.study.lists import Frozen
from studyhub.study.tasks import Task
from studyhub.underway import UnderWay

START, DAYS = date(1985, 10, 1), 2191
PERIODS = "train: [1986-10-01, 1988-09-30], test: [1990-10-01, 1991-09-30]"
STUDY = """\
question: How good is what others made where nothing was gauged?
data: {data}
split: {{{split}, warmup: 100, test_warmup: 200}}
arms:
  theirs: {{external: {table}}}
seeds: [1]
"""
CONTINENTS = {"01": "Europe", "02": "Asia", "03": "Europe", "04": "Africa", "05": "Asia"}


@pytest.fixture
def world(tmp_path) -> Path:
    """Two data sets, and a table that simulates all of their basins; basin 05 was hardly observed in the training years."""
    rng = np.random.default_rng(1)
    rows = []

    def basin(name: str) -> Basin:
        series = {variable: rng.random(DAYS) for variable in ("prcp", "qobs")}
        if name == "05":
            series["qobs"][:1000] = np.nan
        days = pd.date_range(START, periods=DAYS)
        rows.append(pd.DataFrame({"basin": name, "date": days, "qsim": rng.random(DAYS)}))
        return Basin(name, START, series, {"p_mean": 3.0}, {"continent": CONTINENTS[name]})

    write(tmp_path / "one", [basin(name) for name in ("01", "02", "03")], source="test", settings={})
    write(tmp_path / "two", [basin(name) for name in ("04", "05")], source="test", settings={})
    pd.concat(rows).to_parquet(tmp_path / "theirs.parquet", index=False)
    return tmp_path


@pytest.fixture
def study(world) -> Callable[..., Path]:
    def study(split: str, data: str = "", name: str = "study.yaml") -> Path:
        path = world / name
        shards = data or f"{{shards: [{world / 'one'}, {world / 'two'}]}}"
        path.write_text(STUDY.format(data=shards, split=split, table=world / "theirs.parquet"))
        return path

    return study


def test_every_region_is_scored_and_the_study_keeps_its_folds(study, world, capsys):
    home = world / "home"
    path = study(f"kind: pur, by: continent, min_years: {{train: 1}}, {PERIODS}")
    assert cli.main(["launch", str(path), "--home", str(home)]) == 0
    said = capsys.readouterr().err
    assert "theirs, fold 1: 1 of 1 basins scored" in said and "theirs, fold 3: 2 of 2 basins scored" in said
    assert "left out   1 basin, of the training: fewer than 1 observed years in 1986-10-01..1988-09-30 (05)" in said
    folder = home / "studies" / "study"
    scores = pd.read_parquet(folder / "scores.parquet").sort_values("basin")
    assert dict(zip(scores["basin"], scores["fold"], strict=True)) == {"01": 3, "02": 2, "03": 3, "04": 1, "05": 2}
    stored = json.loads((folder / "data.json").read_text())
    frozen = Frozen.from_csv(folder / "split.csv")
    assert stored["split"] == {
        "kind": "pur",
        "hash": frozen.hash,
        "folds": [
            {"number": 1, "name": "Africa", "train": 3, "test": 1},
            {"number": 2, "name": "Asia", "train": 3, "test": 2},
            {"number": 3, "name": "Europe", "train": 2, "test": 2},
        ],
        "left_out": [{"role": "training", "reason": "fewer than 1 observed years in 1986-10-01..1988-09-30", "basins": ["05"]}],
    }
    assert {basin: facts["dataset"] for basin, facts in stored["basins"].items()} == {b: "one" if b < "04" else "two" for b in CONTINENTS}

    again = study(f"kind: frozen, file: {folder / 'split.csv'}", name="again.yaml")
    assert prepare(again, home).plan.cells == prepare(path, home).plan.cells
    assert cli.main(["launch", str(again), "--home", str(home)]) == 0
    assert "3 of 3 trials are there already" in capsys.readouterr().err
    assert (home / "studies" / "again" / "split.csv").read_text() == (folder / "split.csv").read_text()


def test_data_sets_may_be_joined_on_the_command_line(study, world, capsys):
    path = study(f"kind: pur, by: dataset, {PERIODS}", data="{reader: synthetic}")
    command = ["plan", str(path), "--home", str(world / "home"), "--data", str(world / "one"), "--data", str(world / "two")]
    assert cli.main(command) == 0
    said = capsys.readouterr().out
    assert "study      study-one-two:" in said
    assert "folds      one  2 basins train, 3 are tested\n           two  3 basins train, 2 are tested" in said


def test_a_fold_of_one_data_set_needs_another(study, world, capsys):
    path = study(f"kind: pur, by: dataset, {PERIODS}", data=f"{{shards: {world / 'one'}}}")
    assert cli.main(["plan", str(path), "--home", str(world / "home")]) == 2
    assert "`split.by`: all 3 basins have the dataset one, so holding it out leaves nothing to train on" in capsys.readouterr().err


def test_virtual_basins_are_made_to_be_planned_only_where_their_facts_are_asked_for(study, world, capsys):
    home = world / "home"
    days = "train: [1986-10-01, 1987-09-30], test: [1987-10-01, 1988-09-30]"
    plain = study(f"kind: pub, folds: 2, {days}", data="{basins: 3, years: 3}")
    assert cli.main(["plan", str(plain), "--home", str(home)]) == 0
    assert not home.exists()
    before = prepare(plain, home)
    asking = study(f"kind: pub, folds: 2, min_years: {{train: 0.5}}, {days}", data="{basins: 3, years: 3}", name="asking.yaml")
    assert cli.main(["plan", str(asking), "--home", str(home)]) == 0
    assert "making 3 virtual basins of 3 years (once)" in capsys.readouterr().err
    assert prepare(asking, home).plan.externals == before.plan.externals


def test_a_study_that_has_changed_says_how(study, world, capsys):
    home, days = world / "home", f"kind: pur, by: continent, {PERIODS}"
    path = study(days)
    for text, told in (
        (path.read_text(), ""),
        (path.read_text().replace("theirs:", "others:"), "since it was launched last:\n  renamed: theirs is now others\n"),
        (path.read_text().replace("theirs:", "others:"), ""),
    ):
        path.write_text(text)
        assert cli.main(["launch", str(path), "--home", str(home)]) == 0
        said = capsys.readouterr().err
        assert told in said and ("since it was launched" in said) == bool(told)


def test_to_run_again_what_has_failed_makes_no_new_version_of_a_study(study, world):
    home = world / "home"
    path = study(f"kind: pur, by: continent, {PERIODS}")
    assert launch(path, home) == 0
    stored = home / "studies" / "study" / "spec.yaml"
    before = stored.read_text()
    assert launch(stored, home, name="study", only=[]) == 0
    assert stored.read_text() == before


SEARCHED = """\
question: Which rate is best, and what comes of it?
data: {reader: synthetic, basins: 4, years: 6}
split:
  train: [1986-10-01, 1988-09-30]
  validation: [1988-10-01, 1989-09-30]
  test: [1990-10-01, 1991-09-30]
  warmup: 100
  test_warmup: 200
shared: {model: lstm, hidden_size: 4, forcing: [prcp, tmean, pet], attributes: [p_mean]}
training: {epochs: 4, batch: 4, window: 100, updates_per_epoch: 2, optimizer: adam}
arms:
  tuned: {init_from: {arm: searched}, epochs: 2}
  searched: {}
  plain: {hidden_size: 6, may_diverge: true}
search:
  parameters: {learning_rate: {low: 1.0e-4, high: 0.05, log: true}}
  arms: [searched]
  budget: 4
  batch: 2
  scheduler: halving
  rungs: [2]
seeds: [1, 2]
"""


def test_what_a_search_has_chosen_is_run_in_the_same_go(tmp_path, globals_as_before):
    path, home = tmp_path / "searched.yaml", tmp_path / "home"
    path.write_text(SEARCHED)
    begun = UnderWay(prepare(path, home))
    assert begun.open and begun.trials == 2 + 4 + 4, "two trials are known, four are open, and four are tried first"
    shown = {(row.arm, row.seed): row for row in begun.rows(begun.tasks)}
    assert shown["tuned", 2].parent == shown["searched", 2].trial and shown["plain", 1].of == 4 and shown["plain", 1].may_diverge

    ended, order = undisturbed.run(path, home)
    (search,) = ended.prepared.store.searches("searched")
    tried = [row["trial"] for row in search["trials"]]
    assert search["done"] and len(tried) == 4
    cells = {(cell.arm, cell.seed): cell.trial for cell in ended.prepared.plan.cells}
    assert order[0] == tried[0] and order.count(tried[0]) == 1 + (search["trials"][0]["state"] == "finished")
    assert set(order) == {*tried, *cells.values()} and not ended.prepared.plan.open
    for seed in (1, 2):
        trial = ended.prepared.plan.trials[cells["searched", seed]]
        assert trial.training.learning_rate == ((1, search["chosen"]["learning_rate"]),)
        assert ended.prepared.plan.trials[cells["tuned", seed]].parent == cells["searched", seed]
        assert order.index(cells["tuned", seed]) > order.index(cells["searched", seed])
    row = ended.row(Task(tried[3], ended.prepared.plan.trials[cells["searched", 1]]))
    assert (row.arm, row.number) == ("searched", 3)

    again = UnderWay(prepare(path, home))
    assert not again.open and again.prepared.plan == ended.prepared.plan
    (home / "store" / "trials" / cells["plain", 1] / RESULT).unlink()
    assert [task.name for task in UnderWay(prepare(path, home)).tasks] == [cells["plain", 1]]
    assert [task.name for task in UnderWay(prepare(path, home), [cells["tuned", 2], cells["plain", 1]]).tasks] == [cells["plain", 1]]

    again.begin("cuda")
    assert again.open and {trial.backend for trial in again.prepared.plan.trials.values()} == {"cuda"}
    assert not {task.name for task in again.tasks} & set(order), "a GPU rounds otherwise: its trials are others"
