"""Weights depend on the training basins and the training period alone, bit for bit: nothing that judges reaches them."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import torch

from studyhub.catalog import variables
from studyhub.data.record import Basin, days
from studyhub.data.shards import Shards, write
from studyhub.runner.trial import run
from studyhub.study.plan import DataFacts
from studyhub.study.settings import Model, Period, Split, Training, Trial
from studyhub.study.splits import Random, Records, divide

WHOLE = Period(date(1990, 1, 1), date(1993, 12, 31))
SPLIT = Split(Period(date(1990, 7, 1), date(1991, 12, 31)), Period(date(1993, 1, 1), date(1993, 12, 31)), warmup=60, test_warmup=180)
DATES = days(WHOLE)
TESTED = DATES > np.datetime64(SPLIT.train.end)
FORCING = ("prcp", "tmean", "pet")
BASINS = tuple("abcdef")
DPL = Model("dpl", FORCING, ("p_mean", "slope"), hidden_size=4, components=2, dynamic=("BETA",))
MODELS = {
    "lstm": (replace(DPL, kind="lstm", dynamic=()), "rmse"),
    "lstm kratzert2019": (replace(DPL, kind="lstm", recipe="kratzert2019", dynamic=()), "nse"),
    "dpl": (DPL, "rmse_log"),
    "dpl nse": (replace(DPL, scheme="implicit"), "nse"),
}

Change = Callable[[str, dict[str, np.ndarray], dict[str, float]], None]


def basin(name: str, change: Change | None = None) -> Basin:
    """A basin of four years, perhaps with some of its numbers changed."""
    rng = np.random.default_rng(ord(name))
    rain = rng.gamma(0.4, 6, len(DATES))
    warmth = 10 - 9 * np.cos(2 * np.pi * np.arange(len(DATES)) / 365.25) + rng.normal(size=len(DATES))
    series = {"prcp": rain, "tmean": warmth, "pet": 2 + 0.1 * warmth.clip(0), "qobs": np.convolve(rain, np.full(9, 0.05))[: len(DATES)]}
    attributes = {"p_mean": float(rain.mean()), "slope": float(rng.random())}
    if change is not None:
        change(name, series, attributes)
    return Basin(name, WHOLE.start, series, attributes, {})


def weights(folder: Path, trial: Trial, change: Change | None = None) -> tuple[Mapping[str, np.ndarray], str]:
    """Write the basins, train one epoch; return the weights and the scales."""
    shards = Shards.open(write(folder / "shards", [basin(name, change) for name in BASINS], source="test", settings={}))
    used = shards.hash((*trial.train_basins, *trial.test_basins), variables(trial.model))
    (folder / "run").mkdir()
    torch.set_num_threads(1)
    outcome = run(replace(trial, data=used), folder / "shards", folder / "run", cpus=1, device="cpu", on_epoch=lambda epoch: None)
    assert outcome.state == "finished"
    with np.load(folder / "run" / "weights.npz") as stored:
        return {name: stored[name] for name in stored.files}, (folder / "run" / "scales.json").read_text()


def later_days(name: str, series: dict[str, np.ndarray], attributes: dict[str, float]) -> None:
    """Other weather and other discharge on every day after training."""
    for variable, values in series.items():
        values[TESTED] = 3 * values[TESTED] + (2 if variable == "qobs" else 0.5)


def held_out(held: tuple[str, ...]) -> Change:
    """Other weather, discharge and attributes of the basins that are held out."""

    def change(name: str, series: dict[str, np.ndarray], attributes: dict[str, float]) -> None:
        if name in held:
            for values in series.values():
                values *= 2
            attributes.update(p_mean=99.0, slope=-7.0)

    return change


def a_trial(kind: str, learn: tuple[str, ...], judge: tuple[str, ...], split: Split = SPLIT) -> Trial:
    model, loss = MODELS[kind]
    return Trial(model, Training(epochs=1, batch=3, window=60, updates_per_epoch=2, loss=loss), split, learn, judge, seed=1, data="")


@pytest.mark.parametrize("kind", MODELS)
def test_nothing_of_the_test_period_reaches_the_weights(tmp_path, kind):
    trial = a_trial(kind, BASINS, BASINS)
    before, after = weights(tmp_path / "a", trial), weights(tmp_path / "b", trial, later_days)
    same(before, after)


@pytest.mark.parametrize("kind", MODELS)
def test_nothing_of_ungauged_basins_reaches_the_weights(tmp_path, kind):
    facts = DataFacts(BASINS, (), (), lambda basins, names: "")
    folds, _ = divide(Random(3), Records(), SPLIT, facts, BASINS)
    # The same years train and test: only the basins are apart.
    trial = a_trial(kind, folds[0].train_basins, folds[0].test_basins, replace(SPLIT, test=Period(date(1991, 1, 1), date(1991, 12, 31))))
    before, after = weights(tmp_path / "a", trial), weights(tmp_path / "b", trial, held_out(folds[0].test_basins))
    same(before, after)


@pytest.mark.parametrize("kind", MODELS)
def test_the_training_basins_and_days_do_reach_the_weights(tmp_path, kind):
    trial = a_trial(kind, BASINS[:4], BASINS[4:])
    before, after = weights(tmp_path / "a", trial), weights(tmp_path / "b", trial, held_out(BASINS[:1]))
    assert before[1] != after[1]
    assert any(not np.array_equal(before[0][name], after[0][name]) for name in before[0])


def warm_up(name: str, series: dict[str, np.ndarray], attributes: dict[str, float]) -> None:
    """Other discharge on the days that warm up the first window, which are never scored."""
    first = int(np.flatnonzero(DATES == np.datetime64(SPLIT.train.start))[0])
    series["qobs"][first : first + SPLIT.warmup] += 9


@pytest.mark.parametrize("kind", ["lstm", "dpl"])
def test_discharge_that_is_never_scored_does_not_reach_the_weights(tmp_path, kind):
    trial = a_trial(kind, BASINS, BASINS)
    same(weights(tmp_path / "a", trial), weights(tmp_path / "b", trial, warm_up))


def same(before: tuple[Mapping[str, np.ndarray], str], after: tuple[Mapping[str, np.ndarray], str]) -> None:
    assert before[0].keys() == after[0].keys()
    for name, values in before[0].items():
        assert values.tobytes() == after[0][name].tobytes(), name
    assert before[1] == after[1], "scales"
