"""A search must not look at the test: real data, real plan, real training; only days or basins of the test differ."""

import gc
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from studyhub.data.manifest import Manifest
from studyhub.data.record import Basin
from studyhub.data.shards import write
from studyhub.runner.attempt import Place, attempt
from studyhub.runner.search import Searching
from studyhub.study.plan import plan
from studyhub.study.spec import read
from studyhub.study.store import Store
from studyhub.study.tasks import Task

BEGIN = date(1985, 10, 1)
STUDY = """\
question: Which size?
data: {{shards: {shards}}}
split: {split}
shared: {{model: lstm, forcing: [prcp, tmean, pet], attributes: [p_mean]}}
training: {{epochs: 2, batch: 4, window: 60, updates_per_epoch: 2, optimizer: adam, loss: nse}}
arms: {{lstm: {{}}}}
search:
  parameters: {{learning_rate: {{low: 1.0e-3, high: 0.1, log: true}}, hidden_size: {{choices: [2, 4]}}}}
  budget: 4
  batch: 2
  scheduler: halving
  rungs: [1]
  objectives: [nse, fhv]
  validation: {validation}
seeds: [1]
"""
DAYS = "train: [1985-10-01, 1987-09-30], {}test: [1989-10-01, 1990-09-30], warmup: 100, test_warmup: 200"
PERIOD = ("{" + DAYS.format("validation: [1988-10-01, 1989-09-30], ") + "}", "period")
BASINS = ("{kind: pub, folds: 3, " + DAYS.format("") + "}", "{basins: 0.5}")

Change = Callable[[Basin], Basin]


def shards(folder: Path, change: Change) -> Path:
    rng, made = np.random.default_rng(1), []
    for number in range(6):
        weather = {variable: rng.gamma(2.0, size=1826) for variable in ("prcp", "tmean", "pet")}
        qobs = np.convolve(weather["prcp"], np.exp(-np.arange(20) / (3 + number)), mode="full")[:1826] / (3 + number)
        made.append(Basin(name=f"0{number}", start=BEGIN, series=weather | {"qobs": qobs}, attributes={"p_mean": 2.0 + number}, facts={}))
    write(folder, [change(basin) for basin in made], source="test", settings={})
    return folder


def days(first: date, last: date) -> Change:
    """Change all that is known of some days."""
    begin, end = (first - BEGIN).days, (last - BEGIN).days + 1

    def change(basin: Basin) -> Basin:
        series = {
            name: np.concatenate([values[:begin], 3 * values[begin:end][::-1], values[end:]]) for name, values in basin.series.items()
        }
        return replace(basin, series=series)

    return change


def of(names: tuple[str, ...], change: Change) -> Change:
    return lambda basin: change(basin) if basin.name in names else basin


def searched(
    folder: Path, study: tuple[str, str], change: Change = lambda basin: basin
) -> tuple[list[Any], Any, np.ndarray, tuple[str, ...]]:
    """What the first fold's search tries and finds, what it chooses, and the test scores of that; and the basins of that test."""
    data = shards(folder / "shards", change)
    (folder / "study.yaml").write_text(STUDY.format(shards=data, split=study[0], validation=study[1]))
    spec, facts, store = read(folder / "study.yaml"), Manifest.open((str(data),)), Store(folder)
    place = Place(folder, (str(data),), folder / "stop", 1, "cpu")

    def run(task: Task) -> str:
        reports: list[dict[str, Any]] = []
        attempt(task, place, reports.append)
        assert reports[-1]["state"] in ("finished", "stopped"), reports[-1]
        return reports[-1]["state"]

    searching = Searching(plan(spec, facts).searches[0], store, "blind")
    while tasks := searching.ready():
        for task in tasks:
            searching.ended(task.name, run(task))
    assert searching.done and searching.chosen is not None
    tried = [(row["params"], row["values"], row["state"]) for row in searching.record()["trials"]]
    chosen = plan(spec, facts, chosen={("lstm", 1): searching.chosen})
    name = next(cell.trial for cell in chosen.cells if cell.fold == 1)
    run(Task(name, chosen.trials[name]))
    scores = pd.read_parquet(store.trial_folder(name) / "attempt-001" / "scores.parquet")
    return tried, searching.chosen, scores["nse"].to_numpy(), chosen.folds[0].test_basins


@pytest.fixture(scope="module", autouse=True)
def little_garbage() -> Iterator[None]:
    """After each attempt memory is freed, which takes a second where a whole suite's modules are looked through."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="module")
def untouched(tmp_path_factory) -> dict[str, Any]:
    return {kind: searched(tmp_path_factory.mktemp(kind), study) for kind, study in (("period", PERIOD), ("basins", BASINS))}


def test_a_search_does_not_see_the_days_of_the_test(untouched, tmp_path):
    tried, chosen, scores, _ = untouched["period"]
    test = days(date(1989, 10, 1), date(1990, 9, 30))
    again, chosen_again, other_scores, _ = searched(tmp_path, PERIOD, test)
    assert (again, chosen_again) == (tried, chosen), "bitwise"
    assert {state for *_, state in tried} == {"finished", "stopped"} and all(values for _, values, _ in tried)
    assert not np.array_equal(scores, other_scores), "the difference is one that the test sees"


def test_a_search_sees_its_validation(untouched, tmp_path):
    """Which shows that the two tests beside it could fail."""
    again, *_ = searched(tmp_path, PERIOD, days(date(1988, 10, 1), date(1989, 9, 30)))
    assert [values for _, values, _ in again] != [values for _, values, _ in untouched["period"][0]]


def test_a_search_on_some_of_the_training_basins_does_not_see_those_of_the_test(untouched, tmp_path):
    tried, chosen, scores, tested = untouched["basins"]
    assert 0 < len(tested) < 6
    everything = of(tested, days(BEGIN, date(1990, 9, 30)))
    again, chosen_again, other_scores, _ = searched(tmp_path, BASINS, everything)
    assert (again, chosen_again) == (tried, chosen), "bitwise"
    assert not np.array_equal(scores, other_scores)
