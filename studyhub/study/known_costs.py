"""What the store tells of the costs of a plan: trials of the same kind that have finished, in whichever study, or that were calibrated."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice, product
from pathlib import Path
from statistics import median
from typing import Any

from studyhub.study import costs
from studyhub.study.costs import Cost
from studyhub.study.files import read_json
from studyhub.study.ids import kind_of
from studyhub.study.plan import Plan
from studyhub.study.settings import Trial
from studyhub.study.space import Domain, Search
from studyhub.study.store import Store

FOLDER = "calibration"
SAMPLED, TRIED = 20, 16  # results read where a kind has no costs of its own; configurations of a search that are looked up


@dataclass
class Part:
    """Trials of one kind: ``like`` are some that show it."""

    kind: str | None
    epochs: int | None
    like: list[Trial]
    jobs: list[str] = field(default_factory=list)
    arms: dict[str, None] = field(default_factory=dict)

    def add(self, job: str, arm: str) -> None:
        self.jobs.append(job)
        self.arms[arm] = None


def calibration_path(store: Store, kind: str) -> Path:
    return store.home / "store" / FOLDER / f"{kind}.json"


class Known:
    """What the store tells of the costs of a plan."""

    def __init__(self, store: Store, plan: Plan, cpus: int, study: str | None):
        self.store, self.plan, self.cpus = store, plan, cpus
        there = store.with_result(plan.trials)
        self.finished = {name: trial for name, trial in plan.trials.items() if name in there}
        self._kinds: dict[tuple[Any, ...], str] = {}
        self._costs: dict[str, tuple[list[Cost], str | None]] = {}
        self._tried: dict[tuple[str, int], list[str]] = {}
        for entry in store.searches(study) if study else []:
            trials = [str(said.get("trial")) for said in entry.get("trials") or ()]
            self._tried[str(entry.get("arm")), int(entry.get("fold") or 1)] = sorted(store.with_result(trials))

    def parts(self) -> tuple[list[Part], dict[str, list[str]]]:
        """Kinds of missing trials, and for each trial those that it waits for."""
        parts: dict[tuple[str, int], Part] = {}
        arms: dict[str, str] = {cell.trial: cell.arm for cell in reversed(self.plan.cells)}
        after: dict[str, list[str]] = {}
        for name, trial in self.plan.trials.items():
            if name not in self.finished:
                kind, epochs = self.kind(trial), trial.training.epochs
                parts.setdefault((kind, epochs), Part(kind, epochs, [trial])).add(name, arms[name])
                after[name] = [trial.parent] if trial.parent else []
        return [*parts.values(), *self._searches(after)], after

    def _searches(self, after: dict[str, list[str]]) -> Iterator[Part]:
        """Trainings of searches that have not chosen, batch after batch, and then what they will choose."""
        waiting: dict[tuple[str, int], list[str]] = {}
        for cell in self.plan.cells:
            if cell.trial in self.plan.open:
                waiting.setdefault((cell.arm, cell.fold), []).append(cell.trial)
                after[cell.trial] = [cell.parent] if cell.parent else []
        for search in self.plan.searches:
            place = search.arm, search.fold
            if place not in waiting:
                continue
            part = Part(None, None, _examples(search))
            tried, size, before = len(self._tried.get(place, ())), search.settings.batch, []
            names = [f"{search.arm} {search.fold} {number}" for number in range(tried, search.settings.budget)]
            for first in range(0, len(names), size):
                batch = names[first : first + size]
                after.update(dict.fromkeys(batch, before))
                before = batch
            for name in waiting[place]:
                after[name] = [*after[name], *before]
            for job in (*names, *waiting.pop(place)):
                part.add(job, search.arm)
            yield part
        for (arm, _), names in waiting.items():
            part = Part(None, None, [])
            for name in names:
                part.add(name, arm)
            yield part

    def kind(self, trial: Trial) -> str:
        # Trials of one plan share their parts, of which there are few: each is hashed once.
        parts = (trial.model, trial.training, trial.split)
        key = (*map(id, parts), len(trial.train_basins), len(trial.test_basins), trial.dtype, trial.backend)
        if key not in self._kinds:
            self._kinds[key] = kind_of(trial)
        return self._kinds[key]

    def cost(self, part: Part) -> tuple[float | None, int | None, str | None, int]:
        """Seconds and bytes of one trial, what they are known from, and from how many."""
        found, source = self._costs_of(part)
        # Times with other numbers of processors are better than none.
        alike = [cost for cost in found if cost.cpus == self.cpus] or found
        if not alike:
            return None, None, None, 0
        seconds = median(cost.seconds if part.epochs is None else cost.over(part.epochs) for cost in alike)
        sizes = [cost.bytes for cost in found if cost.bytes is not None]
        return seconds, round(median(sizes)) if sizes else None, source, len(alike)

    def _costs_of(self, part: Part) -> tuple[list[Cost], str | None]:
        if part.kind is not None:
            return self._of_kind(part.kind)
        tried = [trial for (arm, _), trials in self._tried.items() if arm in part.arms for trial in trials]
        own = [cost for trial in tried[:SAMPLED] if (cost := Cost.of(self.store.result(trial) or {})) is not None]
        if own:
            return own, "finished"
        pairs = [(self._of_kind(kind_of(trial)), trial.training.epochs) for trial in part.like]
        found = [
            Cost(cost.over(epochs), epochs, None, cost.cpus, cost.device, cost.bytes) for (every, _), epochs in pairs for cost in every
        ]
        sources = Counter(source for (every, source), _ in pairs if every)
        return found, sources.most_common(1)[0][0] if sources else None

    def _of_kind(self, kind: str) -> tuple[list[Cost], str | None]:
        if kind not in self._costs:
            self._costs[kind] = self._read(kind)
        return self._costs[kind]

    def _read(self, kind: str) -> tuple[list[Cost], str | None]:
        found = costs.read(self.store.home / "store", kind)
        if not found:
            same = (name for name, trial in self.finished.items() if self.kind(trial) == kind)
            results = (self.store.result(name) or {} for name in islice(same, SAMPLED))
            found = [cost for result in results if result.get("state") == "finished" and (cost := Cost.of(result)) is not None]
        if found:
            return found, "finished"
        try:
            cost = Cost.of(read_json(calibration_path(self.store, kind)) or {})
        except ValueError:
            cost = None
        return ([], None) if cost is None else ([cost], "calibration")


def _examples(search: Search) -> list[Trial]:
    """Some configurations that a search may try: combinations of its choices, numbers in the middle of their range."""
    levels = [[label for label, _ in domain.choices] or [_middle(domain)] for domain in search.domains]
    found: dict[Trial, None] = {}
    for values in islice(product(*levels), TRIED):
        params: dict[str, Any] = {}
        for domain, value in zip(search.domains, values, strict=True):
            if domain.is_drawn(params):
                params[domain.key] = value
        found[search.trial(params)] = None
    return list(found)


def _middle(domain: Domain) -> float:
    assert domain.low is not None and domain.high is not None, f"{domain.key} has neither choices nor bounds"
    middle = (domain.low * domain.high) ** 0.5 if domain.log else (domain.low + domain.high) / 2
    return round(middle) if domain.whole else middle
