import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from studyhub.study import costs
from studyhub.study.cells import Cell
from studyhub.study.costs import Cost
from studyhub.study.estimate import estimate, makespan, unknown
from studyhub.study.estimate_text import lines
from studyhub.study.ids import kind_of, trial_id
from studyhub.study.known_costs import calibration_path
from studyhub.study.plan import Plan
from studyhub.study.settings import Model, Period, Split, Training, Trial
from studyhub.study.shape import Resources
from studyhub.study.space import Domain, Search, SearchSettings
from studyhub.study.store import Store

SPLIT = Split(Period(date(1986, 10, 1), date(1991, 9, 30)), Period(date(1993, 10, 1), date(1995, 9, 30)))
SMALL = Trial(Model("lstm", ("prcp",), ("area",), hidden_size=8), Training(epochs=10), SPLIT, ("a", "b"), ("a", "b"), 1, "d" * 16)
LARGE = replace(SMALL, model=replace(SMALL.model, hidden_size=64))
ONE_CPU = Resources(cpus=1, gpus=0)


def planned(**arms: Trial) -> Plan:
    """A plan of some arms with three seeds."""
    cells, trials = [], {}
    for arm, like in arms.items():
        for seed in (1, 2, 3):
            trial = replace(like, seed=seed)
            trials[trial_id(trial)] = trial
            cells.append(Cell(arm, 1, seed, trial_id(trial)))
    return Plan(tuple(cells), trials)


def ended(trial: Trial, seconds: float, size: int = 1000, cpus: int = 1, state: str = "finished", **more: Any) -> dict[str, Any]:
    each = 0.9 * seconds / trial.training.epochs
    timing = {"epochs": trial.training.epochs, "updates": 10 * trial.training.epochs, "seconds_per_update": each / 10, "seconds": seconds}
    return timing | {"state": state, "kind": kind_of(trial), "cpus": cpus, "bytes": size, "provenance": {"device": trial.backend}} | more


def finish(store: Store, trial: Trial, seconds: float, **more: Any) -> None:
    lease = store.claim(trial_id(trial))
    assert lease is not None and lease.finish(ended(trial, seconds, **more))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    found = Store(tmp_path)
    found.check_writable()
    return found


def test_trials_cost_what_others_of_their_kind_did_in_whichever_study(store):
    for seed, seconds in ((91, 80), (92, 100), (93, 130)):
        finish(store, replace(SMALL, seed=seed, data="e" * 16), seconds, size=seed)
    plan = planned(small=SMALL)
    finish(store, plan.trials[plan.cells[0].trial], 100, size=92)
    found = estimate(store, plan, ONE_CPU, at_once=2)
    assert (found.finished, found.missing, found.unknown, found.at_once) == (1, 2, 0, 2)
    assert (found.seconds, found.wall_seconds, found.bytes, found.gpu_hours) == (200, 100, 184, 0)
    (kind,) = found.kinds
    assert (kind.arms, kind.trials, kind.source, kind.measured) == (("small",), 2, "finished", 4)
    assert found.free_bytes is not None and found.free_bytes > 0


def test_more_epochs_cost_more(store):
    finish(store, replace(SMALL, seed=91), 100)  # 90 of training, 10 of all else
    longer = replace(SMALL, training=replace(SMALL.training, epochs=30))
    assert estimate(store, planned(longer=longer), ONE_CPU).kinds[0].seconds == pytest.approx(10 + 3 * 90)
    assert Cost(100.0, 10).over(20) == 200
    assert Cost(100.0).over(20) == 100


def test_what_nothing_tells_stays_unknown_and_is_counted(store):
    finish(store, replace(SMALL, seed=91), 100)
    found = estimate(store, planned(small=SMALL, large=LARGE), ONE_CPU, at_once=3)
    assert (found.missing, found.unknown, found.seconds, found.wall_seconds) == (6, 3, 300, 100)
    assert [kind.seconds for kind in found.kinds] == [100, None]
    assert unknown(store, planned(small=SMALL, large=LARGE), ONE_CPU) == {kind_of(LARGE): (LARGE, ("large",))}
    told = "\n".join(lines(found))
    assert "time       at least 1 min 40 s with 3 trials at once (5 min 0 s of computing)" in told
    assert "unknown    3 trials of large: none like them has finished; `studyhub plan --calibrate` measures one of each kind" in told
    nothing = estimate(store, planned(large=LARGE), ONE_CPU)
    assert [line.split()[0] for line in lines(nothing)] == ["to", "unknown"]


def test_calibrations_serve_until_a_trial_has_finished(store):
    path = calibration_path(store, kind_of(LARGE))
    path.parent.mkdir()
    path.write_text(json.dumps({"seconds": 50, "epochs": 10, "seconds_per_epoch": 4, "bytes": 7, "cpus": 1, "device": "cpu"}))
    found = estimate(store, planned(large=LARGE), ONE_CPU)
    assert (found.kinds[0].seconds, found.kinds[0].bytes, found.kinds[0].source) == (50, 7, "calibration")
    assert any("1 kind of trials from a calibration" in line for line in lines(found))
    assert unknown(store, planned(large=LARGE), ONE_CPU) == {}
    finish(store, replace(LARGE, seed=91), 60)
    assert estimate(store, planned(large=LARGE), ONE_CPU).kinds[0].seconds == 60
    path.write_text("{")
    assert estimate(store, planned(large=replace(LARGE, dtype="float64")), ONE_CPU).unknown == 3


def test_times_with_as_many_processors_count_before_others(store):
    finish(store, replace(SMALL, seed=91), 100, cpus=1)
    finish(store, replace(SMALL, seed=92), 30, cpus=4)
    assert [estimate(store, planned(small=SMALL), Resources(cpus=cpus, gpus=0)).kinds[0].seconds for cpus in (1, 4, 8)] == [100, 30, 65]


def test_only_trials_that_finished_count(store):
    finish(store, replace(SMALL, seed=91), 1, state="diverged")
    assert estimate(store, planned(small=SMALL), ONE_CPU).unknown == 3


def test_gpus_are_counted_in_hours(store):
    gpu = replace(SMALL, backend="cuda")
    finish(store, replace(gpu, seed=91), 3600)
    assert estimate(store, planned(gpu=gpu), Resources(gpus=0.5), at_once=2).gpu_hours == 1.5
    assert estimate(store, planned(gpu=gpu), Resources(gpus="auto"), at_once=1).gpu_hours == 3
    assert estimate(store, planned(small=SMALL), Resources(gpus="auto")).gpu_hours == 0
    assert "GPU-hours  about 1.5" in lines(estimate(store, planned(gpu=gpu), Resources(gpus=0.5), at_once=2))


def test_the_cache_may_be_lost_or_damaged(store):
    plan = planned(small=SMALL)
    finish(store, plan.trials[plan.cells[0].trial], 100)
    (path,) = (store.home / "store" / "kinds").iterdir()
    path.write_bytes(b'{half\n[1]\n\xff\n{"seconds": 1e999}\n{"seconds": 70, "epochs": 10}\n{"seco')
    assert estimate(store, plan, ONE_CPU).kinds[0].seconds == 70
    path.unlink()
    assert estimate(store, plan, ONE_CPU).kinds[0].seconds == 100, "told by the plan's own finished trials"


def test_a_cache_that_cannot_be_written_harms_no_result(store):
    (store.home / "store" / "kinds").write_text("in the way")
    finish(store, SMALL, 100)
    assert store.state(trial_id(SMALL)) == "finished"


def test_lines_of_many_processes_stay_whole(store, tmp_path):
    script = """
import sys
from pathlib import Path
from studyhub.study import costs
for number in range(300):
    result = {"state": "finished", "kind": "f" * 16, "seconds": number, "provenance": {"device": "x" * 200}}
    costs.note(Path(sys.argv[1]) / f"{number:016}", result)
"""
    (tmp_path / "store" / "trials").mkdir(exist_ok=True)
    processes = [subprocess.Popen([sys.executable, "-c", script, tmp_path / "store" / "trials"]) for _ in range(4)]
    assert [process.wait() for process in processes] == [0] * 4
    lines = (tmp_path / "store" / "kinds" / f"{'f' * 16}.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)["seconds"] for line in lines) == sorted([*range(300)] * 4)
    assert len(costs.read(tmp_path / "store", "f" * 16)) == costs.ENOUGH


def search(arm: str = "small", batch: int = 2, budget: int = 5) -> Search:
    domains = (Domain("hidden_size", choices=(("8", 8), ("64", 64))), Domain("learning_rate", low=1e-4, high=1e-2, log=True))

    def trial(params: Any) -> Trial:
        assert 0.0009 < params["learning_rate"] < 0.0011
        return SMALL if params["hidden_size"] == "8" else LARGE

    return Search(arm, 1, SearchSettings(domains, budget, batch=batch), domains, trial)


def searched(*searches: Search) -> Plan:
    cells = tuple(Cell("small", 1, seed, f"{seed:016}") for seed in (1, 2, 3))
    return Plan(cells, {}, open=frozenset(cell.trial for cell in cells), searches=searches)


def test_searches_count_with_all_their_trainings_and_what_they_will_choose(store):
    found = estimate(store, searched(search()), ONE_CPU, at_once=2)
    assert (found.missing, found.unknown) == (5 + 3, 8)
    assert set(unknown(store, searched(search()), ONE_CPU)) == {kind_of(SMALL)}
    finish(store, replace(SMALL, seed=91), 100)
    finish(store, replace(LARGE, seed=91), 300)
    found = estimate(store, searched(search()), ONE_CPU, at_once=2)
    # Two batches of two at once, one of one alone, then three of which two run at once: 200 s each.
    assert (found.unknown, found.seconds, found.wall_seconds) == (0, 8 * 200, 5 * 200)


def test_trainings_of_a_search_that_have_ended_tell_what_the_others_cost(store):
    store.write_study("tuned", "question: x\n", ())
    tried = [replace(SMALL, seed=seed) for seed in (71, 72)]
    for trial in tried:
        finish(store, trial, 40)
    entry = {
        "arm": "small",
        "fold": 1,
        "done": False,
        "chosen": None,
        "trials": [{"number": i, "trial": trial_id(t)} for i, t in enumerate(tried)],
    }
    (store.study_folder("tuned") / "searches.json").write_text(json.dumps([entry]))
    found = estimate(store, searched(search()), ONE_CPU, study="tuned")
    assert (found.missing, found.unknown, found.seconds) == (3 + 3, 0, 6 * 40)


def test_a_search_that_has_chosen_costs_nothing_more(store):
    plan = replace(planned(small=SMALL), searches=(search(),))
    assert estimate(store, plan, ONE_CPU).missing == 3


def test_children_wait_for_their_parents(store):
    finish(store, replace(SMALL, seed=91), 100)
    plan = planned(parent=SMALL)
    child = replace(SMALL, seed=1, parent=plan.cells[0].trial)
    plan.trials[trial_id(child)] = child
    plan = Plan((*plan.cells, Cell("child", 1, 1, trial_id(child), plan.cells[0].trial)), plan.trials)
    assert estimate(store, plan, ONE_CPU, at_once=4).wall_seconds == 200


def test_how_long_jobs_take_together():
    assert makespan({}, {}, 2) == 0
    assert makespan({"a": 3, "b": 3, "c": 3}, {}, 2) == 6
    assert makespan({"a": 1, "b": 5, "c": 1}, {"c": ["a"]}, 2) == 5
    assert makespan({"a": 1, "b": 5, "c": 1}, {"c": ["b"], "a": ["c", "elsewhere"]}, 2) == 7


def test_ten_thousand_trials_are_estimated_at_once(store):
    trials = {trial_id(trial): trial for seed in range(2500) for like in (SMALL, LARGE) if (trial := replace(like, seed=seed))}
    plan = Plan(tuple(Cell("a", 1, trial.seed, name) for name, trial in trials.items()), trials)
    kinds = store.home / "store" / "kinds"
    kinds.mkdir()
    for like in (SMALL, LARGE):
        line = json.dumps({"trial": "x" * 16, "seconds": 10.0, "epochs": 10, "cpus": 1, "device": "cpu", "bytes": 5}) + "\n"
        (kinds / f"{kind_of(like)}.jsonl").write_text(5000 * line)
    for name in list(trials)[:500]:
        os.makedirs(store.trial_folder(name))
        (store.trial_folder(name) / "result.json").touch()
    begun = time.perf_counter()
    assert estimate(store, plan, ONE_CPU).missing == 4500
    assert time.perf_counter() - begun < 2
