"""The order of trials and what becomes of them, against a real store; searches are played by a fake."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date

import pytest

from studyhub.runner.schedule import KILLED, LOST, RETRIES, Schedule
from studyhub.study.cells import Cell
from studyhub.study.plan import Plan
from studyhub.study.settings import Model, Period, Split, Training, Trial
from studyhub.study.space import Params, Search, SearchSettings
from studyhub.study.store import Store
from studyhub.study.tasks import Task

SPLIT = Split(Period(date(2000, 1, 1), date(2001, 12, 31)), Period(date(2003, 1, 1), date(2004, 12, 31)))
BASE = Trial(Model("lstm", ("prcp",), ()), Training(epochs=8), SPLIT, ("1",), ("1",), 1, "data")
PLACEHOLDER, CHILD = f"{999:016x}", f"{998:016x}"


def name(arm: int, seed: int) -> str:
    return f"{arm:08x}{seed:08x}"


def plan_of(*arms: int, seeds: int = 1, parents: dict[int, int] | None = None) -> Plan:
    """Arms by number; ``parents``: arm -> the arm that it starts from."""
    cells, trials = [], {}
    for arm in arms:
        for seed in range(1, seeds + 1):
            parent = name(parents[arm], seed) if parents and arm in parents else None
            trials[name(arm, seed)] = replace(BASE, seed=seed, parent=parent)
            cells.append(Cell(str(arm), 1, seed, name(arm, seed), parent))
    return Plan(tuple(cells), trials)


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path)


def end(store: Store, trial: str, state: str = "finished") -> None:
    lease = store.claim(trial)
    assert lease is not None and lease.finish({"state": state, "cause": None})


def run(
    schedule: Schedule, at_once: int = 1, ends: Callable[[Task], tuple[str, str | None]] = lambda task: ("finished", None)
) -> list[str]:
    """Run all there is, ``at_once`` at a time, the oldest ending first; return the names in the order in which they were begun."""
    begun = []
    while not schedule.finished:
        while len(schedule.running) < at_once and (task := schedule.next()) is not None:
            begun.append(task.name)
        assert schedule.running, "nothing runs, and it is not finished"
        task = next(iter(schedule.running.values()))
        schedule.ended(task.name, *ends(task))
    assert schedule.next() is None
    return begun


def test_arms_of_one_seed_come_before_the_next_seed_and_what_has_a_result_does_not_come(store):
    end(store, name(2, 1))
    assert run(Schedule(plan_of(1, 2, 3, seeds=2), store)) == [name(1, 1), name(3, 1), name(1, 2), name(2, 2), name(3, 2)]


def test_a_child_comes_as_soon_as_its_parent_has_finished(store):
    """No waves: trial 2 of the first seed runs while other parents still do; and the child stands before its parent in the file."""
    schedule = Schedule(plan_of(2, 1, seeds=2, parents={2: 1}), store)
    assert [schedule.next(), schedule.next()] == [Task(name(1, s), schedule.plan.trials[name(1, s)]) for s in (1, 2)]
    assert schedule.next() is None and not schedule.finished
    schedule.ended(name(1, 2), "finished")
    task = schedule.next()
    assert task is not None and task.name == name(2, 2)
    assert schedule.next() is None
    schedule.ended(name(1, 1), "finished")
    assert schedule.next().name == name(2, 1)


@pytest.mark.parametrize("state", ["failed", "diverged"])
def test_children_and_grandchildren_of_what_has_not_finished_are_blocked(store, state):
    schedule = Schedule(plan_of(1, 2, 3, 4, parents={2: 1, 3: 2}), store)
    assert run(schedule, ends=lambda task: (state if task.name == name(1, 1) else "finished", "code")) == [name(1, 1), name(4, 1)]
    assert schedule.blocked == {name(n, 1): f"the trial {name(1, 1)} that it starts from has {state}" for n in (2, 3)}


def test_a_parent_that_diverged_or_failed_before(store):
    end(store, name(1, 1), "diverged")
    end(store, name(3, 1))
    store.claim(name(5, 1)).fail({"cause": "no good", "kind": "code"})
    schedule = Schedule(plan_of(6, 1, 2, 3, 4, 5, parents={2: 1, 4: 3, 6: 5}), store)
    assert run(schedule) == [name(4, 1), name(5, 1), name(6, 1)], "what failed is tried again, and its child after it"
    assert list(schedule.blocked) == [name(2, 1)]


def test_only_some_and_the_parents_that_they_lack(store):
    end(store, name(3, 1))
    plan = plan_of(1, 2, 3, 4, 5, 6, parents={2: 1, 4: 3})
    assert run(Schedule(plan, store, only=[name(2, 1), name(4, 1), name(3, 1)])) == [name(1, 1), name(2, 1), name(4, 1)]
    assert run(Schedule(plan, store, only=[])) == []


def test_what_another_launch_is_at_comes_last_once_nobody_is_at_it(store):
    now = [0.0]
    schedule = Schedule(plan_of(1, 2, 3), store, clock=lambda: now[0])
    lease = store.claim(name(1, 1))
    assert [schedule.next().name, schedule.next().name] == [name(2, 1), name(3, 1)]
    assert schedule.next() is None and list(schedule.elsewhere) == [name(1, 1)] and not schedule.finished
    lease.release()
    assert schedule.next() is None, "the store is not asked all the time while others run"
    now[0] = 60.0
    assert schedule.next().name == name(1, 1)
    # A launch that was quicker by a moment: the worker found the trial taken.
    lease = store.claim(name(1, 1))
    assert schedule.ended(name(1, 1), "waiting") is None
    now[0] = 120.0
    assert schedule.next() is None and list(schedule.elsewhere) == [name(1, 1)]
    lease.finish({"state": "finished", "cause": None})
    now[0] = 180.0
    assert schedule.next().name == name(1, 1), "its worker will find the result"


@pytest.mark.parametrize(("kind", "said"), [("memory", "ran out of memory beside others"), (KILLED, "its worker process was killed")])
def test_what_memory_did_not_suffice_for_comes_once_more_alone_after_all_others(store, kind, said):
    tasks = []

    def ends(task: Task) -> tuple[str, str | None]:
        tasks.append(task)
        return ("failed", kind) if task.name == name(1, 1) else ("finished", None)

    schedule = Schedule(plan_of(1, 2, 3), store)
    run(schedule, ends=ends)
    assert [(task.name, task.alone) for task in tasks] == [
        (name(1, 1), False),
        (name(2, 1), False),
        (name(3, 1), False),
        (name(1, 1), True),
    ]
    schedule = Schedule(plan_of(1), store)
    schedule.next()
    assert said in schedule.ended(name(1, 1), "failed", kind)


@pytest.mark.parametrize("kind", ["code", "data", "loss", "disk"])
def test_other_failures_do_not_come_back(store, kind):
    assert run(Schedule(plan_of(1), store), ends=lambda task: ("failed", kind)) == [name(1, 1)]


@pytest.mark.parametrize("how", [("failed", LOST), ("stopped", None)])
def test_what_was_lost_with_its_node_or_taken_over_comes_back_some_times(store, how):
    assert run(Schedule(plan_of(1), store), ends=lambda task: how) == [name(1, 1)] * (1 + RETRIES)


@dataclass
class FakeSearch:
    """Two batches of two trials; the second is known once the first has ended. It chooses the last trial."""

    arm: str
    first: int
    fold: int = 1
    finds: bool = True
    parent: str | None = None
    waiting: list[int] = field(default_factory=list)
    handed: int = 0
    heard: list[tuple[str, str]] = field(default_factory=list)

    @property
    def search(self) -> Search:
        return Search(self.arm, self.fold, SearchSettings((), 4, batch=2), (), lambda params: BASE)

    @property
    def names(self) -> list[str]:
        return [name(self.first + number, 7) for number in range(4)]

    @property
    def done(self) -> bool:
        return len(self.heard) == 4

    @property
    def chosen(self) -> Params | None:
        return {"hidden_size": 8} if self.done and self.finds else None

    @property
    def note(self) -> str | None:
        return None if self.finds else "it has found nothing"

    def ready(self) -> list[Task]:
        until = 2 if len(self.heard) < 2 else 4
        tasks = [Task(trial, replace(BASE, seed=7, parent=self.parent)) for trial in self.names[self.handed : until]]
        self.handed = until
        return tasks

    def ended(self, name: str, state: str) -> None:
        if name in self.names and name not in dict(self.heard):
            self.heard.append((name, state))


class FakeStudy:
    """Arm 9 is searched, and arm 10 starts from it."""

    def __init__(self, *more: FakeSearch):
        self.more, self.chosen, self.records = more, [], 0

    def replan(self, chosen):
        self.chosen.append(dict(chosen))
        return plan_of(1, 9, 10, parents={10: 9}), list(self.more)

    def record(self):
        self.records += 1


def searched() -> Plan:
    plan = plan_of(1)
    return replace(plan, cells=(*plan.cells, Cell("9", 1, 1, PLACEHOLDER), Cell("10", 1, 1, CHILD, PLACEHOLDER)), open={PLACEHOLDER, CHILD})


def test_searches_come_first_and_what_they_choose_is_run_in_the_same_go(store):
    search, study = FakeSearch("9", 20), FakeStudy()
    schedule = Schedule(searched(), store, [search], study)
    assert run(schedule, at_once=2) == [*search.names[:2], name(1, 1), *search.names[2:], name(9, 1), name(10, 1)]
    assert study.chosen == [{("9", 1): {"hidden_size": 8}}] and study.records == 4
    assert search.heard == [(trial, "finished") for trial in search.names]
    assert not schedule.blocked


def test_a_search_that_finds_nothing_blocks_its_arm_and_those_that_start_from_it(store):
    schedule = Schedule(searched(), store, [FakeSearch("9", 20, finds=False)], FakeStudy())
    run(schedule)
    assert schedule.blocked == {PLACEHOLDER: "it has found nothing", CHILD: "it has found nothing"}


def test_a_search_that_comes_to_be_known_is_run_too(store):
    later = FakeSearch("10", 40)
    begun = run(Schedule(searched(), store, [FakeSearch("9", 20)], FakeStudy(later)))
    assert begun[4:] == [*later.names, name(1, 1), name(9, 1), name(10, 1)]
    assert later.done


def test_a_trial_that_two_searches_ask_for_runs_once_at_a_time_and_both_hear_of_it(store):
    one, two = FakeSearch("9", 20), FakeSearch("8", 20)
    schedule = Schedule(plan_of(), store, [one, two], FakeStudy())
    first = [schedule.next(), schedule.next()]
    assert [task.name for task in first] == one.names[:2] and schedule.next() is None
    for task in first:
        schedule.ended(task.name, "finished")
    assert one.heard == two.heard and len(one.heard) == 2


@pytest.mark.parametrize("kind", ["code", "memory"])
def test_a_trial_that_two_searches_ask_for_does_not_come_again_once_it_has_failed(store, kind):
    one, two = FakeSearch("9", 20, finds=False), FakeSearch("8", 20, finds=False)
    begun = run(Schedule(plan_of(), store, [one, two], FakeStudy()), at_once=2, ends=lambda task: ("failed", kind))
    alone = 1 if kind == "code" else 2  # what memory did not suffice for comes once more
    assert sorted(begun) == sorted(one.names * alone)
    assert one.heard == two.heard == [(name, "failed") for name, _ in one.heard] and one.done


def test_trials_of_a_search_wait_for_the_trial_that_they_start_from(store):
    search = FakeSearch("9", 20, parent=name(1, 1))
    assert run(Schedule(searched(), store, [search], FakeStudy()), at_once=4)[:3] == [name(1, 1), *search.names[:2]]
    search = FakeSearch("9", 30, parent=name(2, 1))
    plan = plan_of(2)
    cells = (*plan.cells, Cell("9", 1, 1, PLACEHOLDER, name(2, 1)))
    schedule = Schedule(replace(plan, cells=cells, open={PLACEHOLDER}), store, [search], FakeStudy())
    assert run(schedule, ends=lambda task: ("failed", "code")) == [name(2, 1)]
    assert schedule.blocked[PLACEHOLDER] == f"the trial {name(2, 1)} that it starts from has failed"


def test_a_rung_is_no_end(store):
    search = FakeSearch("9", 20)
    schedule = Schedule(plan_of(), store, [search], FakeStudy())
    task = schedule.next()
    assert schedule.ended(task.name, "stopped", rung=2) is None
    assert search.heard == [(task.name, "stopped")] and not schedule.elsewhere


def test_thousands_of_trials_are_handed_out_in_seconds(store):
    plan = plan_of(*range(1, 31), seeds=100)
    begun = time.perf_counter()
    assert len(run(Schedule(plan, store), at_once=8)) == 3000
    assert time.perf_counter() - begun < 10.0
