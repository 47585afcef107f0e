"""The search of one arm in one fold: what is to be trained next, given what has been.

A search goes in batches, and within a batch by rungs. Nothing is decided before all trials that the decision is about have come as far: so
its outcome is the same however long they take, on however many machines, and however often the launch is killed. (Hyperband's asynchronous
form, ASHA, decides as trials arrive, and would search otherwise each time.) For the same reason it keeps nothing: it follows from the
search's settings and the results in the store, and a later launch finds it where it stood by drawing its batches anew.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from studyhub.runner.search_draws import draw, importance
from studyhub.runner.search_scores import Judged, better_half, look, not_clearly_worse, ordered, ranks, values
from studyhub.study.files import write_json
from studyhub.study.ids import trial_id
from studyhub.study.settings import Trial
from studyhub.study.space import Params, Search
from studyhub.study.store import Store
from studyhub.study.tasks import Task

SEARCHES = "searches.json"


@dataclass(frozen=True)
class Drawn:
    """One configuration: ``number`` from 0, and the trial (its id is ``name``) that tries it."""

    number: int
    params: Params
    name: str
    trial: Trial

    def until(self, rung: int | None) -> int | None:
        """How far it is to be trained for this rung; None: to its end, which may come before the rung."""
        return rung if rung is not None and rung < self.trial.training.epochs else None


class Searching:
    """A search under way.

    A trial that failed of its configuration stands as the worst, as one that diverged. Where that leaves nothing to choose, all that failed
    are tried again: the fault was not theirs.

    Parameters
    ----------
    study : the study that it belongs to, for messages
    """

    def __init__(self, search: Search, store: Store, study: str):
        self.search, self.study = search, study
        self._store, self._settings = store, search.settings
        self._rungs: tuple[int | None, ...] = (*(self._settings.rungs if self._settings.scheduler != "none" else ()), None)
        self._given: set[tuple[str, int | None]] = set()  # what was handed out
        self._out: set[str] = set()  # trials that were, and have not ended since
        self._again: set[str] = set()  # trials whose failure does not stand
        self._begin()
        if self.done and self.chosen is None:
            self._again = {drawn.name for drawn in self._drawn if store.state(drawn.name) == "failed"}
            self._begin()

    def _begin(self) -> None:
        self.done = False
        self._drawn: list[Drawn] = []
        self._going: list[Drawn] = []  # those of the batch that are on their way to its next rung
        self._place = 0  # of that rung
        self._reached: list[dict[int, Judged]] = [{} for _ in self._rungs]
        self._known: dict[tuple[str, int | None], Judged] = {}
        self._settled: dict[int, dict[str, Any]] = {}  # rows of batches that are over
        self._draw()
        self._advance()

    def ready(self) -> list[Task]:
        """Trials that may run now; each comes once for each rung that it is to reach."""
        tasks = []
        for drawn in self._waited_for():
            task = Task(drawn.name, drawn.trial, drawn.until(self._rungs[self._place]))
            if (task.name, task.until) not in self._given:
                self._given.add((task.name, task.until))
                self._out.add(task.name)
                tasks.append(task)
        return tasks

    def ended(self, name: str, state: str) -> None:
        """Hear that a trial has ended or has come to its rung; a trial that is not this search's is no matter."""
        if name in self._out:
            self._out.discard(name)
            if state == "failed":
                self._again.discard(name)
            self._advance()

    def number(self, name: str) -> int | None:
        """Number of a trial within the search; None where it is not its own."""
        return next((drawn.number for drawn in self._drawn if drawn.name == name), None)

    @property
    def chosen(self) -> Params | None:
        """The best of the configurations that were trained to their end, once the search is done; None where none is of use."""
        best = ordered(self._reached[-1]) if self.done else []
        return self._drawn[best[0]].params if best else None

    @property
    def note(self) -> str | None:
        """What the user should know of it, in one line."""
        who = f"study {self.study}, search of `{self.search.arm}` in fold {self.search.fold}"
        many, budget = len(self._drawn), self._settings.budget
        if self.done and self.chosen is None:
            return f"{who}: nothing is chosen, for no training of {many} came to a finite {' and '.join(self._settings.objectives)}"
        if self.done and many < budget:
            return f"{who}: all {many} configurations that there are have been tried; the rest of the budget of {budget} is not needed"
        waited_for = [drawn.name for drawn in self._waited_for() if drawn.name not in self._out]
        failed = [name for name in waited_for if self._store.state(name) == "failed"]
        if failed:
            return f"{who}: it waits for trial {failed[0]}, whose failure says nothing of it; launch the study again to try it anew"
        return None

    def record(self) -> dict[str, Any]:
        """Its entry in searches.json."""
        told = {"arm": self.search.arm, "fold": self.search.fold, "done": self.done, "chosen": self.chosen, "note": self.note}
        told |= {"importance": importance(self.search.domains, self._ranked()) if self.done else None}
        told |= {"budget": self._settings.budget, "objectives": list(self._settings.objectives), "seed": self._settings.seed}
        return told | {"trials": [self._settled.get(drawn.number) or self._row(drawn) for drawn in self._drawn]}

    def _row(self, drawn: Drawn) -> dict[str, Any]:
        """One trial; ``values`` are the objectives' medians at its end or at the last rung that it has come to."""
        place, judged = self._standing(drawn)
        told = {"number": drawn.number, "params": drawn.params, "trial": drawn.name, "state": self._store.state(drawn.name)}
        if judged is None:
            return told | {"values": None, "epochs": None}
        epochs = drawn.until(self._rungs[place]) or drawn.trial.training.epochs
        if judged.losses is None:
            epochs = (self._store.result(drawn.name) or {}).get("epochs")
        return told | {"values": values(judged, self._settings.objectives), "epochs": epochs}

    def _standing(self, drawn: Drawn) -> tuple[int, Judged | None]:
        """The last rung that a trial has come to, and how it was judged there."""
        if drawn in self._going and (now := self._judge(drawn)) is not None:
            return self._place, now
        places = [place for place, judged in enumerate(self._reached) if drawn.number in judged]
        return (places[-1], self._reached[places[-1]][drawn.number]) if places else (0, None)

    def _waited_for(self) -> list[Drawn]:
        return [drawn for drawn in self._going if self._judge(drawn) is None]

    def _advance(self) -> None:
        """Go as far as the results allow: from rung to rung, and from batch to batch."""
        while not self.done and not self._waited_for():
            arrived = {drawn.number: judged for drawn in self._going if (judged := self._judge(drawn)) is not None}
            earlier = self._reached[self._place]
            on = self._going_on(arrived, earlier)
            self._reached[self._place] = earlier | arrived
            self._going, self._place = [drawn for drawn in self._going if drawn.number in on], self._place + 1
            if self._place == len(self._rungs) or not self._going:
                self._draw()

    def _going_on(self, arrived: dict[int, Judged], earlier: dict[int, Judged]) -> list[int]:
        if self._rungs[self._place] is None:
            return []
        return better_half(arrived) if self._settings.scheduler == "halving" else not_clearly_worse(arrived, earlier)

    def _draw(self) -> None:
        """Begin the next batch; without one, the search is done."""
        self._settled |= {drawn.number: self._row(drawn) for drawn in self._drawn[len(self._settled) :]}
        names, first = {drawn.name for drawn in self._drawn}, len(self._drawn)
        tried, size = self._ranked(), min(self._settings.batch, self._settings.budget - first)
        drawing = draw(
            self._settings,
            self.search.domains,
            self.search.fold,
            first // self._settings.batch,
            tried,
            lambda p: self._name(p) not in names,
        )
        for params in islice(drawing, size):
            drawn = Drawn(len(self._drawn), params, self._name(params), self.search.trial(params))
            names.add(drawn.name)
            self._drawn.append(drawn)
        self._going, self._place, self.done = self._drawn[first:], 0, len(self._drawn) == first

    def _name(self, params: Params) -> str:
        return trial_id(self.search.trial(params))

    def _ranked(self) -> list[tuple[Params, list[float]]]:
        """Each configuration with its rank in each objective, which is all that a sampler is told.

        Those that came farther stand before those that were left at an earlier rung, and last those that are of no use. (So TPE itself
        orders trials that were pruned. Ranks give it the same for several objectives, whatever their units.)
        """
        standings = [(place, judged) for place, judged in map(self._standing, self._drawn) if judged is not None]
        return [(drawn.params, its) for drawn, its in zip(self._drawn, ranks(standings), strict=True)]

    def _judge(self, drawn: Drawn) -> Judged | None:
        """How a trial did at the rung that is looked at; None where it has yet to come there."""
        if drawn.name in self._out:
            return None
        key = drawn.name, drawn.until(self._rungs[self._place])
        if key not in self._known:
            found = look(self._store, *key, self._settings.objectives, stands=drawn.name not in self._again)
            if found is None:
                return None
            self._known[key] = found
        return self._known[key]


def write(store: Store, study: str, searches: Iterable[Searching]) -> None:
    """Keep how far a study's searches are, for whoever shows it. Nothing is decided from that file."""
    write_json(store.study_folder(study) / SEARCHES, [searching.record() for searching in searches])
