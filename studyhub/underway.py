"""A study under way: what there is to run, which grows as searches end, and what is kept and shown of it."""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from studyhub.prepared import Prepared
from studyhub.runner.pace import Row
from studyhub.runner.progress import Progress
from studyhub.runner.schedule import Chosen, missing
from studyhub.study.leases import ENDS
from studyhub.study.plan import Plan, kind_of
from studyhub.study.resolve import Arm
from studyhub.study.settings import External, Trial
from studyhub.study.space import point
from studyhub.study.tasks import Task

if TYPE_CHECKING:
    from studyhub.runner.search import Searching


class UnderWay:
    """A study under way.

    Parameters
    ----------
    prepared : the study; planned anew whenever a search has chosen
    only : ids of the trials to run, with no search gone on with; None: all
    keeps : whether its files are written

    Attributes
    ----------
    searches : one for each searched arm and fold
    tasks : trials to run, as far as they are known
    unscored : simulations from elsewhere to score
    """

    def __init__(self, prepared: Prepared, only: Collection[str] | None = None, *, keeps: bool = True):
        self.prepared, self.only, self._keeps = prepared, only, keeps
        self.searches: list[Searching] = []
        self.tasks: list[Task] = []
        self.unscored: dict[str, External] = {}
        self.progress: Progress | None = None
        self.begin(prepared.backend)

    def begin(self, backend: str) -> None:
        """Plan for a backend, with what earlier launches have found."""
        self.prepared, self.searches = self.prepared.planned(backend, {}), []
        while self._take_up():
            self.prepared = self.prepared.planned(chosen=_chosen(self.searches))
        if self.only is not None:  # they were asked what they have chosen, which says what these trials are
            self.searches = []
        self.tasks = missing(self.prepared.plan, self.prepared.store, self.only)
        self.unscored = {} if self.only is not None else self.prepared.unscored()

    def _take_up(self) -> "list[Searching]":
        """Begin the searches that have come to be known: an arm may start from one that is searched itself."""
        known = {(each.search.arm, each.search.fold) for each in self.searches}
        new = [search for search in self.prepared.plan.searches if (search.arm, search.fold) not in known]
        if not new:
            return []
        from studyhub.runner.search import Searching  # loads Optuna

        begun = [Searching(search, self.prepared.store, self.prepared.spec.name) for search in new]
        self.searches += begun
        return begun

    @property
    def open(self) -> bool:
        """Whether there is anything to run."""
        return bool(self.tasks) or not all(each.done for each in self.searches)

    @property
    def trials(self) -> int:
        """How many trials there are to run at most, as far as that is known."""
        budgets = (each.search.settings.budget for each in self.searches if not each.done)
        return len(self.tasks) + len(self._placeholders) + sum(budgets)

    @property
    def _placeholders(self) -> frozenset[str]:
        """Those of cells that this launch is to come to."""
        return self.prepared.plan.open if self.only is None else frozenset()

    def to_check(self) -> list[Trial]:
        """Trials that show what data are needed: those to run, and for each search that goes on one of its own and those that follow it."""
        going = {(each.search.arm, each.search.fold): each.search for each in self.searches if not each.done}
        params = {place: point(search.domains) or {} for place, search in going.items()}
        trials = [*(task.trial for task in self.tasks), *(search.trial(params[place]) for place, search in going.items())]
        if not going:
            return trials
        known, later = self.prepared.plan.trials, self.prepared.planned(chosen={**_chosen(self.searches), **params}).plan.trials
        return [*trials, *(trial for name, trial in later.items() if name not in known)]

    def keep(self) -> None:
        """Write the study's files."""
        if self._keeps:
            self.prepared.write()
            self.record()

    def results(self) -> list[Mapping[str, Any]]:
        """What is known of all trials that have finished, in whichever study."""
        store = self.prepared.store
        folder = store.home / "store" / "trials"
        return [standing.result for standing in store.look_at(path.name for path in folder.glob("*")).values() if standing.result]

    # For the schedule

    def replan(self, chosen: Chosen) -> "tuple[Plan, list[Searching]]":
        """Go on with what is known now, since another search has chosen."""
        self.prepared = self.prepared.planned(chosen=chosen)
        new = self._take_up()
        self.keep()
        if self.progress is not None:
            self.progress.forget(row.trial for each in self.searches if each.done for row in _to_come(each))
            self.progress.add(self.rows(missing(self.prepared.plan, self.prepared.store)))
            self.progress.add(row for each in new for row in _to_come(each))
        return self.prepared.plan, new

    def record(self) -> None:
        """Write how far the searches are."""
        if self.searches:
            from studyhub.runner.search import write

            write(self.prepared.store, self.prepared.spec.name, self.searches)

    # For the progress

    def all_rows(self) -> list[Row]:
        """A row for each trial to run, those that searches are still to draw among them."""
        return [*(row for each in self.searches if not each.done for row in _to_come(each)), *self.rows(self.tasks)]

    def rows(self, tasks: Iterable[Task]) -> list[Row]:
        """A row for each of these trials, under the name of the first cell that it answers, and one for each cell that is still open."""
        plan, named = self.prepared.plan, {task.name: task for task in tasks}
        first = {cell.trial: cell for cell in reversed(plan.cells)}
        rows = []
        for name, cell in reversed(first.items()):
            if name in named or name in self._placeholders:
                row = Row(name, cell.arm, str(cell.fold), cell.seed, parent=cell.parent, may_diverge=self._may_diverge(cell.arm))
                rows.append(_of(row, named[name]) if name in named else row)
        return rows

    def row(self, task: Task) -> Row:
        """A row for a trial of a search."""
        for each in self.searches:
            number = each.number(task.name)
            if number is not None:
                row = Row(task.name, each.search.arm, str(each.search.fold), each.search.settings.seed, number=number, may_diverge=True)
                return _of(row, task)
        raise AssertionError(f"{task.name} belongs to no search")

    def _may_diverge(self, arm: str) -> bool:
        settings = self.prepared.spec.arm(arm)
        return isinstance(settings, Arm) and settings.may_diverge


def _of(row: Row, task: Task) -> Row:
    return replace(row, of=task.trial.training.epochs, kind=kind_of(task.trial))


def _to_come(searching: "Searching") -> Iterator[Row]:
    """Rows for all trainings of a search, so that they are counted before they are drawn; each gives way to its trial."""
    search = searching.search
    ended = {drawn["number"] for drawn in searching.record()["trials"] if drawn["state"] in ENDS}
    for number in (number for number in range(search.settings.budget) if number not in ended):
        name = hashlib.sha256(f"{search.arm} {search.fold} {number}".encode()).hexdigest()[:16]
        yield Row(name, search.arm, str(search.fold), search.settings.seed, number=number, may_diverge=True)


def _chosen(searches: "Iterable[Searching]") -> Chosen:
    found = {(each.search.arm, each.search.fold): each.chosen for each in searches if each.done}
    return {place: params for place, params in found.items() if params is not None}
