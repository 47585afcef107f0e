"""A study that is read and planned, and what is kept of it. No torch and no Ray here: `studyhub plan` is to come at once."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studyhub.data.manifest import Manifest
from studyhub.data.synthetic_settings import SyntheticSettings
from studyhub.errors import DataError, StudyhubError
from studyhub.storage import absolute, folder
from studyhub.study import remote
from studyhub.study.backend import backend_here
from studyhub.study.changes import changes
from studyhub.study.facts import DataFacts, Facts
from studyhub.study.files import write_texts
from studyhub.study.lists import Frozen
from studyhub.study.plan import Plan, plan
from studyhub.study.settings import External
from studyhub.study.space import Params
from studyhub.study.spec import ShardFolder, StudySpec, Synthetic, read
from studyhub.study.store import Store, claim_text

if TYPE_CHECKING:
    from studyhub.data.shards import Shards

LISTS, BASINS = "split.csv", "basins.parquet"

Say = Callable[[str], None]
to_stderr: Say = partial(print, file=sys.stderr)


@dataclass(frozen=True)
class Prepared:
    """A study that is read and planned, and where its data and results lie.

    Parameters
    ----------
    shards : folders, as absolute paths or URIs
    facts : what is known of the data
    backend : on which its trials run, "cpu" or "cuda"
    chosen : what its searches have chosen so far
    """

    spec: StudySpec
    plan: Plan
    store: Store
    shards: tuple[str, ...]
    facts: Facts
    backend: str
    chosen: Mapping[tuple[str, int], Params]

    def planned(self, backend: str | None = None, chosen: Mapping[tuple[str, int], Params] | None = None) -> "Prepared":
        """The same study on another backend, or with more of its searches ended."""
        backend, chosen = backend or self.backend, self.chosen if chosen is None else chosen
        return replace(self, plan=plan(self.spec, self.facts, backend, chosen), backend=backend, chosen=chosen)

    def since_launched(self) -> list[str]:
        """What differs from the study that was launched under this name before; nothing where none was, or it cannot be read any more."""
        if self.spec.name not in self.store.studies():
            return []
        try:
            before = read(self.store.study_folder(self.spec.name) / "spec.yaml", name=self.spec.name)
        except StudyhubError:  # written by another version: there is nothing to compare with
            return []
        return changes(before, self.spec)

    def unscored(self) -> dict[str, External]:
        """Simulations from elsewhere without a result."""
        return {name: external for name, external in self.plan.externals.items() if self.store.result(name) is None}

    def data(self, say: Say) -> "Shards":
        """Open the data; virtual basins are made when they are first needed."""
        from studyhub.data.shards import Shards

        data = self.spec.data
        shards = Shards.open(self.shards) if isinstance(data, ShardFolder) else _built(data, self.shards, say)
        return replace(shards, fill=data.fill)

    def write(self) -> None:
        """Keep what the study runs, in place of what it ran before."""
        store, spec = self.store, self.spec
        frozen = Frozen.of(self.plan.folds, spec.split)
        folder = store.write_study(spec.name, spec.text(), self.plan.cells, self._data(frozen.hash))
        write_texts({folder / LISTS: frozen.to_csv()})
        self._write_basins(folder / BASINS)
        store.declare(spec.name, [claim_text(claim.better, claim.than, claim.metric) for claim in spec.compare])

    def _write_basins(self, path: Path) -> None:
        """Keep what is known of the basins; of virtual ones that are not made yet, nothing is."""
        from studyhub.data.facts_table import write_facts
        from studyhub.data.shards import Shards

        try:
            shards = Shards.open(self.shards)
        except DataError:
            if isinstance(self.spec.data, ShardFolder):
                raise
            return
        write_facts(shards, self._used(), path)

    def _used(self) -> set[str]:
        return {basin for fold in self.plan.folds for basin in (*fold.train_basins, *fold.test_basins)}

    def _data(self, lists: str) -> dict[str, Any] | None:
        """What reports and trackers must know of data and folds once the shards are gone; None where virtual basins are."""
        try:
            manifest = Manifest.open(self.shards)
        except DataError:
            if isinstance(self.spec.data, ShardFolder):
                raise
            return None
        folds, used = self.plan.folds, self._used()
        facts = {basin: dict(known) for basin, known in manifest.metadata.items() if basin in used}
        sizes = [
            {"number": fold.number, "name": fold.name, "train": len(fold.train_basins), "test": len(fold.test_basins)} for fold in folds
        ]
        kind, left_out = self.spec.division.rule.kind, [asdict(out) for out in self.plan.left_out]
        split = {"kind": kind, "hash": lists, "folds": sizes, "left_out": left_out}
        content = manifest.hash(manifest.basins, manifest.variables)
        return {"source": manifest.source, "hash": content, "split": split, "basins": facts}


def prepare(
    study: Path,
    home: Path,
    overrides: Sequence[str] = (),
    data: Sequence[str] = (),
    name: str | None = None,
    say: Say = to_stderr,
) -> Prepared:
    """Read and plan a study.

    Nothing is built or written, and neither torch nor ray is loaded; but virtual basins are made where folds depend on their facts.
    """
    spec = read(study, overrides, data, name)
    shards = _folders(spec.data, home)
    facts, backend = _facts(spec, shards, say), backend_here(spec.resources)
    planned = plan(spec, facts, backend)
    remote.pull_plan(home, spec.name, (*planned.trials, *planned.externals), say=say)
    return Prepared(spec, planned, Store(home), shards, facts, backend, {})


def _folders(data: Synthetic | ShardFolder, home: Path) -> tuple[str, ...]:
    if isinstance(data, ShardFolder):
        return tuple(map(absolute, data.shards))
    return (f"{remote.origin(home)}/store/data/synthetic-{_settings(data).identity}",)


def _facts(spec: StudySpec, shards: tuple[str, ...], say: Say) -> Facts:
    """What the plan must know of the data."""
    if isinstance(spec.data, ShardFolder):
        return Manifest.open(shards)
    if spec.needs_facts:
        return _built(spec.data, shards, say).manifest
    settings = _settings(spec.data)
    return DataFacts(settings.names, settings.variables, settings.attribute_names, settings.hash)


def _settings(data: Synthetic) -> SyntheticSettings:
    return SyntheticSettings(basins=data.basins, years=data.years, seed=data.seed)


def _built(data: Synthetic, shards: tuple[str, ...], say: Say) -> "Shards":
    from studyhub.data.shards import Shards

    (where,), settings = shards, _settings(data)
    if ready := Shards.known(where, settings.identity):
        return ready
    if not folder(where).names():
        say(f"making {data.basins} virtual basins of {data.years} years (once)")
    from studyhub.data.synthetic import build  # loads torch, which takes seconds

    return build(settings, where)
