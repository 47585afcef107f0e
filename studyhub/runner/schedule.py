"""Which trial runs next, and what becomes of one that did not end well. Plain bookkeeping: it knows the store, and no scheduler.

A trial comes as soon as the one that it starts from has finished. Trials of searches come first, since much may wait for what they choose;
then all arms of one seed before the next seed, so that arms can be compared early; then those that another launch is at, since they may be
done by then; last those that need a device for themselves.
"""

import heapq
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Protocol

from studyhub.study.plan import Plan
from studyhub.study.space import Params, Search
from studyhub.study.store import Store
from studyhub.study.tasks import Task

# How often a trial comes back that was lost with its node, or taken over and then left.
RETRIES = 3
LOOK_EVERY = 2.0  # s between two looks at trials that another launch is at
# Kinds of failure that no attempt can tell itself: its process was killed; its node was lost.
KILLED, LOST = "killed", "lost"
ALONE = {
    "memory": "ran out of memory beside others: tried again alone",
    KILLED: "its worker process was killed, perhaps for want of memory: tried again alone",
}

Chosen = Mapping[tuple[str, int], Params]


class Searching(Protocol):
    """A search under way; see `studyhub.runner.search`."""

    @property
    def search(self) -> Search: ...
    @property
    def done(self) -> bool: ...
    @property
    def chosen(self) -> Params | None: ...
    @property
    def note(self) -> str | None: ...

    def ready(self) -> list[Task]: ...
    def ended(self, name: str, state: str) -> None: ...


class Study(Protocol):
    """What changes as searches go on."""

    def replan(self, chosen: Chosen) -> tuple[Plan, Sequence[Searching]]:
        """Return the plan with the trials that are known now, and searches that are new."""
        ...

    def record(self) -> None:
        """Write how far the searches are."""
        ...


@dataclass(order=True)
class _Entry:
    """A task in its place of the order."""

    key: tuple[int, int, int]
    task: Task = field(compare=False)


class Schedule:
    """Hands out the trials of a plan that have no result.

    Parameters
    ----------
    plan : all trials that are known
    store : tells what has finished, and what other launches are at
    searches : one for each searched arm and fold
    study : told of what searches have found; None where there are none
    only : ids of the trials to run, to which the parents are added that they lack; None: all
    clock : seconds that only grow

    Attributes
    ----------
    running : trials that were handed out
    elsewhere : trials that another launch is at
    blocked : trials that can never run, by id or placeholder, and why
    """

    def __init__(
        self,
        plan: Plan,
        store: Store,
        searches: Sequence[Searching] = (),
        study: Study | None = None,
        only: Collection[str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.plan, self.searches = plan, list(searches)
        self.running, self.elsewhere, self.blocked = dict[str, Task](), dict[str, Task](), dict[str, str]()
        self._store, self._study, self._clock = store, study, clock
        self._looked = clock()
        self._ready: list[_Entry] = []
        self._alone: deque[Task] = deque()
        self._children: dict[str, list[_Entry]] = {}
        self._known: dict[str, str] = {}
        self._searched: set[str] = set()
        self._numbers, self._tries = count(), Counter[str]()
        self._settled: set[tuple[str, int]] = set()
        self._add(missing(plan, store, only))
        self._settle()

    @property
    def finished(self) -> bool:
        """Whether nothing runs, and nothing ever will."""
        self._collect()
        return not (self.running or self._ready or self._alone or self.elsewhere)

    def next(self) -> Task | None:
        """The trial to run now; None where none can before another one has ended."""
        self._collect()
        for take in (self._from_ready, self._from_elsewhere, self._from_alone):
            while (task := take()) is not None:
                if self._store.state(task.name) != "running":
                    self.running[task.name] = task
                    return task
                self.elsewhere[task.name] = task
        return None

    def ended(self, name: str, state: str, kind: str | None = None, rung: int | None = None) -> str | None:
        """Hear of a trial that was handed out.

        Parameters
        ----------
        state : how it ended; "waiting" where another launch was at it
        kind : of a failure
        rung : the epoch where it was left, as it should be

        Returns
        -------
        str or None
            why it will be tried again; None where this is its end
        """
        task = self.running.pop(name)
        if state == "waiting":
            self.elsewhere[name] = task
            return None
        again = self._again(task, state, kind, rung)
        if again is None:
            self._close(name, state)
        return again

    def _again(self, task: Task, state: str, kind: str | None, rung: int | None) -> str | None:
        if state == "failed" and kind in ALONE and not task.alone:
            self._alone.append(replace(task, alone=True))
            return ALONE[kind]
        lost, left = state == "failed" and kind == LOST, state == "stopped" and rung is None
        if not (lost or left) or self._tries[task.name] >= RETRIES:
            return None
        self._tries[task.name] += 1
        # Not at once: as far as can be told from here, a process on that node may still be at it.
        self.elsewhere[task.name] = task
        why = "its node was lost" if lost else "another launch had taken it over"
        return f"{why}: tried again ({self._tries[task.name]} of {RETRIES})"

    def _close(self, name: str, state: str) -> None:
        self._known[name] = state
        if name in self._searched and state != "stopped":
            # All searches that ask for it hear of it now. Run again, what failed might end otherwise than they have counted it.
            self._ready = [entry for entry in self._ready if entry.task.name != name]
            heapq.heapify(self._ready)
        for searching in self.searches:
            searching.ended(name, state)
        self._settle()
        if self._study is not None and name in self._searched:
            self._study.record()
        if state == "finished":
            for entry in self._children.pop(name, []):
                heapq.heappush(self._ready, entry)
        elif state != "stopped":
            self._block_children(name, f"the trial {name} that it starts from has {state}")

    def _block(self, name: str, cause: str) -> None:
        if name not in self.blocked:
            self.blocked[name] = cause
            self._block_children(name, cause)

    def _block_children(self, parent: str, cause: str) -> None:
        for entry in self._children.pop(parent, []):
            self._block(entry.task.name, cause)
        for cell in self.plan.cells:
            if cell.parent == parent and cell.trial in self.plan.open:
                self._block(cell.trial, cause)

    # Where the next one comes from

    def _from_ready(self) -> Task | None:
        """The first that does not run already: searches may ask for the same trial."""
        skipped: list[_Entry] = []
        found = None
        while self._ready and found is None:
            entry = heapq.heappop(self._ready)
            if entry.task.name in {*self.running, *self.elsewhere, *(task.name for task in self._alone)}:
                skipped.append(entry)
            else:
                found = entry.task
        for entry in skipped:
            heapq.heappush(self._ready, entry)
        return found

    def _from_elsewhere(self) -> Task | None:
        """One that nobody is at any more."""
        if not self.elsewhere or (self.running and self._clock() - self._looked < LOOK_EVERY):
            return None
        self._looked = self._clock()
        free = next((name for name in self.elsewhere if self._store.state(name) != "running"), None)
        return None if free is None else self.elsewhere.pop(free)

    def _from_alone(self) -> Task | None:
        return self._alone.popleft() if self._alone else None

    # What there is to run

    def _add(self, tasks: Iterable[Task]) -> None:
        """Take in trials that were not known before."""
        new = [task for task in tasks if task.name not in self._known]
        self._known |= {task.name: "pending" for task in new}
        for task in new:
            self._enqueue(_Entry((1, task.trial.seed, next(self._numbers)), task))

    def _collect(self) -> None:
        for searching in self.searches:
            for task in searching.ready():
                self._known[task.name] = "pending"
                self._searched.add(task.name)
                self._enqueue(_Entry((0, 0, next(self._numbers)), task))

    def _enqueue(self, entry: _Entry) -> None:
        parent = entry.task.trial.parent
        state = "finished" if parent is None else self._known.get(parent) or self._store.state(parent)
        if parent is None or state == "finished":
            heapq.heappush(self._ready, entry)
        elif parent in self.blocked or state in ("diverged", "failed"):
            self._block(entry.task.name, self.blocked.get(parent) or f"the trial {parent} that it starts from has {state}")
        else:
            self._children.setdefault(parent, []).append(entry)

    def _settle(self) -> None:
        """Take in what searches have chosen that have ended since the last time."""
        ended = {(each.search.arm, each.search.fold): each for each in self.searches if each.done}
        new = ended.keys() - self._settled
        if not new:
            return
        self._settled |= new
        chosen = {place: each.chosen for place, each in ended.items() if each.chosen is not None}
        if self._study is not None and any(place in chosen for place in new):
            self.plan, searches = self._study.replan(chosen)
            self.searches += searches
            self._add(missing(self.plan, self._store))
        for cell in self.plan.cells:
            place = cell.arm, cell.fold
            if cell.trial in self.plan.open and place in new and place not in chosen:
                self._block(cell.trial, ended[place].note or "its search has found nothing")


def missing(plan: Plan, store: Store, only: Collection[str] | None = None) -> list[Task]:
    """Trials of a plan that have no result: all, or those of ``only`` and of what these start from."""
    standings = store.look_at(plan.trials)
    lacking = {name: trial for name, trial in plan.trials.items() if not standings[name].result}
    if only is not None:
        wanted: set[str] = set()
        for name in only:
            found: str | None = name
            while found in lacking and found not in wanted:
                wanted.add(found)
                found = lacking[found].parent
        lacking = {name: trial for name, trial in lacking.items() if name in wanted}
    return [Task(name, trial) for name, trial in lacking.items()]
