"""Searches against a real store, with a trainer whose scores are a formula of the configuration."""

import json
import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from studyhub.catalog import METRICS
from studyhub.errors import SpecError, StoreError
from studyhub.runner.search import Searching, write
from studyhub.runner.search_draws import configurations, draw
from studyhub.runner.search_scores import Judged, ranks, worst
from studyhub.study.ids import trial_id
from studyhub.study.settings import Model, Period, Split, Training, Trial
from studyhub.study.space import Domain, Params, Search, SearchSettings
from studyhub.study.store import Store
from studyhub.study.tasks import Task

BASINS = tuple(f"{n:02}" for n in range(12))
RATE = Domain("learning_rate", 1e-4, 1e-1, log=True)
SIZE = Domain("hidden_size", choices=(("small", 8), ("large", 32)))
CLIP = Domain("gradient_norm", 0.5, 2.0, when=(("hidden_size", ("large",)),))
DAYS = Period(date(1990, 1, 1), date(1995, 12, 31))
BASE = Trial(
    model=Model("lstm", ("prcp",), ("area",)),
    training=Training(epochs=8),
    split=Split(DAYS, Period(date(1996, 1, 1), date(1997, 12, 31))),
    train_basins=BASINS,
    test_basins=BASINS,
    seed=1,
    data="d" * 16,
)


def trial_of(domains: Sequence[Domain]) -> Callable[[Params], Trial]:
    choices = {domain.key: dict(domain.choices) for domain in domains}

    def trial(params: Params) -> Trial:
        values = {key: choices[key].get(drawn, drawn) for key, drawn in params.items()}
        rate, clip = ((1, values.get("learning_rate", 0.01)),), values.get("gradient_norm")
        training = replace(BASE.training, learning_rate=rate, gradient_norm=clip, epochs=values.get("epochs", BASE.training.epochs))
        return replace(BASE, training=training, model=replace(BASE.model, hidden_size=values.get("hidden_size", 16)))

    return trial


def search(*domains: Domain, arm: str = "lstm", fold: int = 1, budget: int = 8, **settings: Any) -> Search:
    settings = {"batch": 4} | settings
    return Search(arm, fold, SearchSettings(domains, budget, **settings), domains, trial_of(domains))


def loss(trial: Trial) -> float:
    """Best at a rate of 0.005, and for the larger network."""
    rate = trial.training.learning_rate[0][1]
    return (math.log10(rate / 0.005)) ** 2 + 0.2 * (trial.model.hidden_size != 32) + 0.01 * (trial.training.gradient_norm or 0)


@dataclass
class Trainer:
    """Runs tasks as a worker would, and leaves what a worker leaves; ``ran`` holds what it did, in order."""

    store: Store
    scores: Callable[[Trial, int], dict[str, np.ndarray]] = lambda trial, epoch: {"nse": 1 - loss(trial) - 1 / epoch - np.arange(12) / 100}
    ends: Callable[[Trial, int], str] = lambda trial, epoch: "finished"
    ran: list[tuple[str, int | None]] = field(default_factory=list)

    def run(self, task: Task) -> str:
        """Run it as far as it says, and tell how it ended."""
        lease = self.store.claim(task.name)
        assert lease is not None, "it has been trained already"
        self.ran.append((task.name, task.until))
        epoch = task.until or task.trial.training.epochs
        end = self.ends(task.trial, epoch)
        if end in ("memory", "code", "loss", "data", "worker"):
            lease.fail({"cause": "no", "kind": end, "traceback": []})
            return "failed"
        if end == "diverged":
            lease.finish({"state": end, "cause": {"basin": "01"}, "epochs": 3})
            return end
        if task.until is not None:
            self._write(lease.folder / f"rung-{epoch:04}.parquet", task.trial, epoch)
            lease.release({"rung": epoch})
            return "stopped"
        self._write(lease.folder / "scores.parquet", task.trial, epoch)
        assert lease.finish({"state": "finished", "cause": None, "epochs": epoch})
        return "finished"

    def _write(self, path: Path, trial: Trial, epoch: int) -> None:
        scores = {name: np.zeros(len(BASINS)) for name in METRICS} | self.scores(trial, epoch)
        pd.DataFrame({"basin": BASINS, "period": "test"} | scores | {"days": 300}).to_parquet(path, index=False)

    def finish(self, searching: Searching, order: random.Random | None = None, most: int | None = None) -> Searching:
        """Run what is ready, in any order, until nothing is; ``most`` trials at most."""
        waiting = searching.ready()
        while waiting and most != 0:
            task = waiting.pop(order.randrange(len(waiting)) if order else 0)
            searching.ended(task.name, self.run(task))
            waiting += searching.ready()
            most = most and most - 1
        return searching


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def trials(searching: Searching) -> list[dict[str, Any]]:
    return searching.record()["trials"]


def params(searching: Searching) -> list[Params]:
    return [row["params"] for row in trials(searching)]


# Budgets, batches and draws


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_search_spends_its_budget_in_batches_and_chooses_the_best(store, sampler):
    searching, trainer = Searching(search(RATE, SIZE, budget=10, sampler=sampler), store, "two"), Trainer(store)
    sizes = []
    while not searching.done:
        tasks = searching.ready()
        assert searching.ready() == [], "each is handed out once"
        sizes.append(len(tasks))
        assert {task.until for task in tasks} == {None}
        for task in tasks:
            assert searching.chosen is None
            searching.ended(task.name, trainer.run(task))
    assert sizes == [4, 4, 2]
    rows = trials(searching)
    assert [row["number"] for row in rows] == list(range(10))
    assert {(row["state"], row["epochs"]) for row in rows} == {("finished", 8)}
    best = max(rows, key=lambda row: row["values"][0])
    assert searching.chosen == best["params"] and searching.note is None
    assert best["values"][0] == pytest.approx(np.median(1 - loss(trial_of([RATE, SIZE])(best["params"])) - 1 / 8 - np.arange(12) / 100))
    assert len({row["trial"] for row in rows}) == 10
    assert [searching.number(row["trial"]) for row in rows] == list(range(10)) and searching.number("f" * 16) is None


def test_a_search_of_another_arm_gets_as_many_trainings(store):
    small, wide = (Trainer(store).finish(Searching(s, store, "two")) for s in (search(RATE, SIZE), search(RATE, SIZE, CLIP, arm="b")))
    assert len(trials(small)) == len(trials(wide)) == 8


def test_folds_and_seeds_draw_otherwise_and_names_do_not(store):
    first = {key: str(params(Searching(search(RATE, **given), store, "two"))) for key, given in
             {"a": {}, "renamed": {"arm": "other"}, "fold": {"fold": 2}, "seed": {"seed": 2}}.items()}  # fmt: skip
    assert first["a"] == first["renamed"]
    assert len(set(first.values())) == 3


@pytest.mark.parametrize("settings", [{}, {"scheduler": "halving", "rungs": (2, 4)}, {"scheduler": "wilcoxon", "rungs": (2, 4)}])
def test_neither_timing_nor_kills_change_a_search(tmp_path, settings):
    given = search(RATE, SIZE, CLIP, budget=9, batch=3, **settings)
    undisturbed, trainer = Store(tmp_path / "undisturbed"), Trainer(Store(tmp_path / "undisturbed"))
    expected = trainer.finish(Searching(given, undisturbed, "two")).record()
    assert expected["done"]
    for seed in range(2):
        disturbed = Trainer(Store(tmp_path / str(seed)))
        order, launches = random.Random(seed), 0
        while True:
            searching = disturbed.finish(Searching(given, disturbed.store, "two"), order, most=order.randrange(1, 5))
            launches += 1
            if searching.done:
                break
        assert launches > 2
        assert searching.record() == expected
        assert sorted(disturbed.ran, key=str) == sorted(trainer.ran, key=str), "nothing is trained twice"
        assert Searching(given, disturbed.store, "two").record() == expected


def test_a_larger_budget_goes_on_where_the_smaller_one_ended(store):
    trainer = Trainer(store)
    first = params(trainer.finish(Searching(search(RATE, SIZE, budget=6), store, "two")))
    trainer.ran.clear()
    more = trainer.finish(Searching(search(RATE, SIZE, budget=12), store, "two"))
    assert params(more)[:6] == first
    assert len(trainer.ran) == 6


def test_what_another_study_has_trained_is_used(store):
    given, trainer = search(SIZE, sampler="grid"), Trainer(store)
    trial = given.trial({"hidden_size": "large"})
    trainer.run(Task(trial_id(trial), trial))
    searching = Searching(given, store, "two")
    (task,) = searching.ready()
    assert task.trial.model.hidden_size == 8
    searching.ended(task.name, trainer.run(task))
    assert searching.done and searching.chosen == {"hidden_size": "large"}


def test_a_finite_space_ends_early_and_says_so(store):
    whole = Domain("gradient_norm", 1, 3, whole=True)
    for sampler in ("tpe", "random", "grid"):
        searching = Trainer(Store(store.home / sampler)).finish(
            Searching(search(SIZE, whole, budget=20, sampler=sampler), Store(store.home / sampler), "two")
        )
        assert searching.done and len(params(searching)) == 6
        assert {tuple(p.items()) for p in params(searching)} == {tuple(p.items()) for p in configurations((SIZE, whole))}
        assert searching.note is not None and searching.note.endswith(
            "fold 1: all 6 configurations that there are have been tried; the rest of the budget of 20 is not needed"
        )
        assert isinstance(params(searching)[0]["gradient_norm"], int)


def test_one_that_the_sampler_keeps_to_is_not_trained_again(store):
    """Half of what is drawn has no number, and is one configuration; the other half has one, and is without end."""
    rate = replace(RATE, when=(("hidden_size", ("large",)),))
    searching = Trainer(store).finish(Searching(search(SIZE, rate, budget=16, sampler="random"), store, "two"))
    assert sum(p == {"hidden_size": "small"} for p in params(searching)) == 1
    assert len(params(searching)) == 16


def test_a_grid_smaller_than_its_budget_comes_in_an_order_by_chance(store):
    choices = Domain("hidden_size", choices=tuple((str(n), n) for n in range(1, 31)))
    searching = Trainer(store).finish(Searching(search(choices, budget=8, sampler="grid"), store, "two"))
    drawn = [int(p["hidden_size"]) for p in params(searching)]
    assert len(set(drawn)) == 8 and max(drawn) > 15


def test_a_grid_needs_choices(store):
    with pytest.raises(SpecError, match="a grid needs `choices`, or `whole: true`, of each parameter; learning_rate may be any number"):
        Searching(search(SIZE, RATE, sampler="grid"), store, "two")
    many = [Domain(key, choices=tuple((str(n), n) for n in range(101))) for key in ("hidden_size", "gradient_norm")]
    with pytest.raises(SpecError, match="10000 configurations at most"):
        Searching(search(*many, sampler="grid"), store, "two")


@pytest.mark.parametrize("sampler", ["tpe", "random", "grid"])
def test_what_has_no_meaning_is_not_drawn(store, sampler):
    clip = replace(CLIP, low=1, high=2, whole=True)
    searching = Trainer(store).finish(Searching(search(SIZE, clip, budget=3, sampler=sampler), store, "two"))
    assert sorted(map(sorted, map(dict.keys, params(searching)))) == [["gradient_norm", "hidden_size"]] * 2 + [["hidden_size"]]
    assert {p["hidden_size"] for p in params(searching) if "gradient_norm" in p} == {"large"}


def test_numbers_stay_in_their_bounds(store):
    rate, epochs = Domain("learning_rate", 0.01, 0.02), Domain("epochs", 3, 5, whole=True)
    drawn = params(Trainer(store).finish(Searching(search(rate, epochs, budget=40, batch=20), store, "two")))
    assert all(0.01 <= p["learning_rate"] <= 0.02 for p in drawn)
    assert {p["epochs"] for p in drawn} == {3, 4, 5}


def test_tpe_finds_better_ones_than_chance():
    """Without a store: batches of four, each told the ranks of all before it."""
    best = {}
    for sampler in ("tpe", "random"):
        found = []
        for seed in range(20):
            given, tried = search(RATE, SIZE, sampler=sampler, seed=seed), {}
            for batch in range(6):
                losses = sorted(tried.values())
                ranked = [(drawn, [float(losses.index(known))]) for drawn, known in tried.items()]
                drawing = draw(given.settings, given.domains, 1, batch, [(dict(drawn), rank) for drawn, rank in ranked], lambda _: True)
                tried |= {tuple(params.items()): loss(given.trial(params)) for params in islice(drawing, 4)}
            assert len(tried) == 24
            found.append(min(tried.values()))
        best[sampler] = np.mean(found)
    assert best["tpe"] < 0.5 * best["random"]


# What is judged


def test_several_objectives_are_chosen_by_ranks(store):
    """Hand-made: medians of NSE 0.8, 0.7, 0.6, 0.1 and of FHV -30, 5, -1, 0: ranks (0 + 3), (1 + 2), (2 + 1), (3 + 0), the first wins."""
    table = {"1": (0.8, -30.0), "2": (0.7, 5.0), "3": (0.6, -1.0), "4": (0.1, 0.0)}
    domain = Domain("hidden_size", choices=tuple((label, int(label)) for label in table))

    def scores(trial: Trial, epoch: int) -> dict[str, np.ndarray]:
        nse, fhv = table[str(trial.model.hidden_size)]
        return {"nse": np.full(12, nse), "fhv": np.full(12, fhv)}

    given = search(domain, budget=4, sampler="grid", objectives=("nse", "fhv"))
    searching = Trainer(store, scores).finish(Searching(given, store, "two"))
    assert {row["params"]["hidden_size"]: row["values"] for row in trials(searching)} == {
        label: [pytest.approx(nse), pytest.approx(abs(fhv))] for label, (nse, fhv) in table.items()
    }
    assert searching.chosen == trials(searching)[0]["params"], "equals by number"
    table["3"] = (0.75, -1.0)  # ranks 0 + 3, 2 + 2, 1 + 1, 3 + 0
    elsewhere = Store(store.home / "elsewhere")
    assert Trainer(elsewhere, scores).finish(Searching(given, elsewhere, "two")).chosen == {"hidden_size": "3"}
    tpe = Trainer(Store(store.home / "tpe"), scores)
    assert tpe.finish(Searching(replace_settings(given, sampler="tpe"), tpe.store, "two")).done


def replace_settings(given: Search, **settings: Any) -> Search:
    return replace(given, settings=replace(given.settings, **settings))


@pytest.mark.parametrize(("metric", "best"), [("abs_flv", "small"), ("kge", "large")])
def test_a_metric_says_which_sense_is_better(store, metric, best):
    trainer = Trainer(store, lambda trial, epoch: {metric: np.full(12, trial.model.hidden_size)})
    assert trainer.finish(Searching(search(SIZE, objectives=(metric,)), store, "two")).chosen == {"hidden_size": best}


def test_what_is_not_defined_is_the_worst_and_what_was_not_observed_says_nothing(store):
    def trainer(where: str, large: list[float], days: int) -> Trainer:
        class Some(Trainer):
            def _write(self, path: Path, trial: Trial, epoch: int) -> None:
                nse = large if trial.model.hidden_size == 32 else [0.5] * 12
                rows = {"basin": BASINS, "period": "test", "nse": nse, "days": [days] * 7 + [300] * 5}
                pd.DataFrame(rows).to_parquet(path, index=False)

        return Some(Store(store.home / where))

    undefined = [math.nan] * 7 + [0.9] * 5
    dead = trainer("dead", undefined, 300)
    searching = dead.finish(Searching(search(SIZE), dead.store, "two"))
    assert searching.chosen == {"hidden_size": "small"}
    assert {row["params"]["hidden_size"]: row["values"] for row in trials(searching)} == {"small": [0.5], "large": None}
    unobserved = trainer("unobserved", undefined, 0)
    assert unobserved.finish(Searching(search(SIZE), unobserved.store, "two")).chosen == {"hidden_size": "large"}


def test_a_region_that_diverges_is_avoided(tmp_path):
    """Rates above 0.005 diverge: two of five by chance, and much fewer of what TPE draws once it has seen some."""

    def scores(trial: Trial, epoch: int) -> dict[str, np.ndarray]:
        return {"nse": np.full(12, -((math.log10(trial.training.learning_rate[0][1]) + 3.3) ** 2))}

    def ends(trial: Trial, epoch: int) -> str:
        return "diverged" if trial.training.learning_rate[0][1] > 0.005 else "finished"

    share = {}
    for sampler in ("tpe", "random"):
        diverged = []
        for seed in range(5):
            trainer = Trainer(Store(tmp_path / f"{sampler}{seed}"), scores, ends)
            searching = trainer.finish(Searching(search(RATE, budget=20, sampler=sampler, seed=seed), trainer.store, "two"))
            rows = trials(searching)
            assert all(row["values"] is None and row["epochs"] == 3 for row in rows if row["state"] == "diverged")
            assert searching.chosen["learning_rate"] <= 0.005
            diverged += [row["state"] == "diverged" for row in rows[8:]]
        share[sampler] = np.mean(diverged)
    assert share["tpe"] < 0.6 * share["random"]


def test_ranks_are_by_how_far_a_trial_came_then_by_its_loss():
    """Two at the end, two that were left at the first rung with smaller losses, and one that diverged at the end."""
    found = ranks([(1, Judged((0.5, 3.0))), (0, Judged((0.1, 9.0))), (1, Judged((0.4, 3.0))), (0, Judged((0.2, 1.0))), (1, worst("ab"))])
    assert found == [[1, 0], [2, 2], [0, 0], [3, 1], [4, 3]]


# Failures


@pytest.mark.parametrize("kind", ["memory", "code", "loss"])
def test_a_failure_of_the_configuration_stands_and_uses_budget(store, kind):
    trainer = Trainer(store, ends=lambda trial, epoch: kind if trial.model.hidden_size == 32 else "finished")
    searching = trainer.finish(Searching(search(SIZE, RATE), store, "two"))
    assert searching.done and len(trials(searching)) == 8
    assert {(row["state"], row["values"] is None) for row in trials(searching)} == {("failed", True), ("finished", False)}
    assert searching.chosen["hidden_size"] == "small"
    again = Searching(search(SIZE, RATE), store, "two")
    assert again.done and again.record() == searching.record()


@pytest.mark.parametrize("kind", ["worker", "data"])
def test_a_failure_of_the_machine_is_waited_for(store, kind):
    undisturbed = Store(store.home / "undisturbed")
    expected = Trainer(undisturbed).finish(Searching(search(RATE), undisturbed, "two")).record()
    broken: list[float] = []

    def ends(trial: Trial, epoch: int) -> str:
        broken.append(trial.training.learning_rate[0][1])
        return kind if len(broken) == 2 else "finished"

    trainer = Trainer(store, ends=ends)
    searching = trainer.finish(Searching(search(RATE), store, "two"))
    assert not searching.done and searching.ready() == [] and len(trials(searching)) == 4
    failed = trials(searching)[1]["trial"]
    assert f"it waits for trial {failed}, whose failure says nothing of it; launch the study again" in searching.note
    assert trainer.finish(Searching(search(RATE), store, "two")).record() == expected


def test_a_failure_is_no_result_before_the_engine_has_given_up(store):
    """A trial that ran out of memory is tried again alone, while others of its batch end."""
    searching, trainer = Searching(search(RATE), store, "two"), Trainer(store)
    first, *others = searching.ready()
    trainer.ends = lambda trial, epoch: "memory"
    trainer.run(first)
    trainer.ends = lambda trial, epoch: "finished"
    for task in others:
        searching.ended(task.name, trainer.run(task))
    assert searching.ready() == []
    searching.ended(first.name, trainer.run(first))
    assert len(searching.ready()) == 4
    assert trials(searching)[0]["values"] is not None


def test_where_all_have_failed_nothing_is_chosen_and_the_next_launch_tries_again(store):
    trainer = Trainer(store, ends=lambda trial, epoch: "code")
    searching = trainer.finish(Searching(search(RATE, budget=5), store, "two"))
    assert searching.done and searching.chosen is None
    assert searching.note == "study two, search of `lstm` in fold 1: nothing is chosen, for no training of 5 came to a finite nse"
    again = trainer.finish(Searching(search(RATE, budget=5), store, "two"))
    assert again.done and len(trainer.ran) == 10
    trainer.ends = lambda trial, epoch: "finished"
    assert trainer.finish(Searching(search(RATE, budget=5), store, "two")).chosen is not None


def test_scores_that_cannot_be_read_are_named(store):
    Trainer(store).finish(Searching(search(RATE, budget=4), store, "two"))
    path = next(store.home.glob("store/trials/*/attempt-001/scores.parquet"))
    path.write_bytes(b"PAR1")
    with pytest.raises(StoreError, match=f"{path}: cannot be read .*; remove {path.parent.parent.parent.name}|remove"):
        Searching(search(RATE, budget=4), store, "two")


# Rungs


def sizes(values: Iterable[int]) -> Domain:
    return Domain("hidden_size", choices=tuple((str(n), n) for n in values))


def drawn_to(trainer: Trainer, searching: Searching) -> dict[str, list[int | None]]:
    """Size -> the rungs that it was trained to, None for its end."""
    names = {row["trial"]: row["params"]["hidden_size"] for row in trials(searching)}
    found: dict[str, list[int | None]] = {}
    for name, until in trainer.ran:
        found.setdefault(names[name], []).append(until)
    return found


def test_halving_lets_the_better_half_go_on(store):
    """Of five (NSE by size 1 to 5), three go on at epoch 2. There the order turns: of 5, 4 and 3, the two smallest go on, to the end."""
    trainer = Trainer(store, lambda trial, epoch: {"nse": np.full(12, trial.model.hidden_size * (1.0 if epoch < 4 else -1.0))})
    given = search(sizes(range(1, 6)), budget=5, batch=5, sampler="grid", scheduler="halving", rungs=(2, 4))
    searching = trainer.finish(Searching(given, store, "two"))
    assert drawn_to(trainer, searching) == {"1": [2], "2": [2], "3": [2, 4, None], "4": [2, 4, None], "5": [2, 4]}
    rows = {row["params"]["hidden_size"]: (row["state"], row["epochs"], row["values"]) for row in trials(searching)}
    assert rows["1"] == ("stopped", 2, [1.0]) and rows["5"] == ("stopped", 4, [-5.0]) and rows["3"] == ("finished", 8, [-3.0])
    assert searching.chosen == {"hidden_size": "3"}, "one that was left has a better value, but nobody knows of its end"


def test_what_has_diverged_does_not_go_on_and_short_trainings_are_judged_by_their_end(store):
    trainer = Trainer(
        store,
        lambda trial, epoch: {"nse": np.full(12, float(trial.model.hidden_size))},
        ends=lambda trial, epoch: "diverged" if trial.model.hidden_size > 2 else "finished",
    )
    given = search(sizes(range(1, 5)), budget=4, sampler="grid", scheduler="halving", rungs=(2, 20))
    searching = trainer.finish(Searching(given, store, "two"))
    assert drawn_to(trainer, searching) == {"1": [2, None], "2": [2, None], "3": [2], "4": [2]}
    assert searching.chosen == {"hidden_size": "2"}


def test_a_rung_asks_each_basin(store):
    """Against the best, 12 basins of which 12, 10 and 7 are worse by growing amounts: one-sided p = 0.0002, 0.002 and 0.21."""
    better = {"10": 0, "11": 12, "12": 10, "13": 7}
    amounts = np.arange(1, 13) / 100

    def scores(trial: Trial, epoch: int) -> dict[str, np.ndarray]:
        worse = better[str(trial.model.hidden_size)]
        # The better basins come by turns, so that they are small and large ones; a shift keeps the median of all below the best.
        signs = np.ones(12)
        signs[[1, 9, 5, 3, 7][: 12 - worse]] = -1 if worse else 1
        return {"nse": 0.5 - (amounts * signs if worse else np.zeros(12))}

    trainer = Trainer(store, scores)
    given = search(sizes(range(10, 14)), budget=4, sampler="grid", scheduler="wilcoxon", rungs=(2,))
    searching = trainer.finish(Searching(given, store, "two"))
    assert drawn_to(trainer, searching) == {"10": [2, None], "11": [2], "12": [2], "13": [2, None]}


def test_the_best_so_far_may_be_of_an_earlier_batch(store):
    trainer = Trainer(store, lambda trial, epoch: {"nse": np.full(12, -abs(trial.model.hidden_size - 6.0)) - np.arange(12) / 1000})
    given = search(sizes(range(1, 13)), budget=12, batch=2, sampler="grid", scheduler="wilcoxon", rungs=(2,))
    searching = trainer.finish(Searching(given, store, "two"))
    best, expected = math.inf, set()
    rows = trials(searching)
    for first in range(0, 12, 2):
        far = {row["params"]["hidden_size"]: abs(int(row["params"]["hidden_size"]) - 6) for row in rows[first : first + 2]}
        best = min(best, *far.values())
        expected |= {size for size, distance in far.items() if distance == best}
    assert {size for size, rungs in drawn_to(trainer, searching).items() if None in rungs} == expected
    assert searching.chosen == {"hidden_size": "6"}


def test_one_with_undefined_basins_is_clearly_worse(store):
    def scores(trial: Trial, epoch: int) -> dict[str, np.ndarray]:
        nse = np.full(12, 0.5) + np.arange(12) / 100
        return {"nse": np.where(np.arange(12) < 5, math.nan, nse - 0.001) if trial.model.hidden_size == 8 else nse}

    trainer = Trainer(store, scores)
    searching = trainer.finish(Searching(search(SIZE, scheduler="wilcoxon", rungs=(2,)), store, "two"))
    assert {row["params"]["hidden_size"]: row["epochs"] for row in trials(searching)} == {"small": 2, "large": 8}


def test_with_several_objectives_one_goes_on_that_is_not_worse_in_all(store):
    def scores(trial: Trial, epoch: int) -> dict[str, np.ndarray]:
        size, each = trial.model.hidden_size, np.arange(12) / 100
        return {"nse": {1: 0.9, 2: 0.5, 3: 0.4}[size] - each, "kge": {1: 0.8, 2: 0.9, 3: 0.3}[size] - each}

    given = search(sizes((1, 2, 3)), scheduler="wilcoxon", rungs=(2,), objectives=("nse", "kge"))
    searching = Trainer(store, scores).finish(Searching(given, store, "two"))
    assert {row["params"]["hidden_size"]: row["epochs"] for row in trials(searching)} == {"1": 8, "2": 8, "3": 2}


def test_a_rung_that_was_not_written_whole_is_run_again(store):
    given, trainer = search(RATE, scheduler="halving", rungs=(2,)), Trainer(store)
    searching = Searching(given, store, "two")
    task = searching.ready()[0]
    trainer.run(task)
    path = next(store.trial_folder(task.name).glob("attempt-001/rung-0002.parquet"))
    path.write_bytes(path.read_bytes()[:100])
    assert (task.name, 2) in [(ready.name, ready.until) for ready in Searching(given, store, "two").ready()]
    trainer.run(task)
    assert task.name not in [ready.name for ready in Searching(given, store, "two").ready()]


# The file


def test_how_far_a_search_is_can_be_read(store):
    (store.home / "studies" / "two").mkdir(parents=True)
    searching, trainer = Searching(search(RATE, SIZE, scheduler="halving", rungs=(2,)), store, "two"), Trainer(store)
    trainer.finish(searching, most=5)
    write(store, "two", [searching])
    (entry,) = json.loads((store.home / "studies" / "two" / "searches.json").read_text())
    assert entry == searching.record()
    assert (entry["arm"], entry["fold"], entry["done"], entry["chosen"], entry["budget"]) == ("lstm", 1, False, None, 8)
    assert [(row["state"], row["epochs"], row["values"] is None) for row in entry["trials"]].count(("finished", 8, False)) == 1
    assert [row["epochs"] for row in entry["trials"]].count(2) == 3
    searching = trainer.finish(Searching(search(RATE, SIZE, scheduler="halving", rungs=(2,)), store, "two"))
    write(store, "two", [searching])
    (entry,) = json.loads((store.home / "studies" / "two" / "searches.json").read_text())
    assert entry["done"] and entry["chosen"] == searching.chosen
