"""The main job: a study file goes in, trained trials and scores per basin come out.

``python -m studyhub.launch STUDY.yaml`` is ``studyhub launch STUDY.yaml``. What has finished, in whichever study, is not run again.
"""

import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from studyhub.data.manifest import Manifest
from studyhub.data.synthetic_settings import SyntheticSettings
from studyhub.errors import StudyhubError
from studyhub.runner.progress import Progress, Row, duration
from studyhub.runner.show import Show
from studyhub.storage import absolute
from studyhub.study.describe import describe
from studyhub.study.external import ExternalArm
from studyhub.study.files import write_texts
from studyhub.study.lists import Frozen
from studyhub.study.plan import DataFacts, Facts, Plan, plan
from studyhub.study.settings import External, Trial
from studyhub.study.spec import ShardFolder, StudySpec, Synthetic, read
from studyhub.study.store import Store, claim_text

if TYPE_CHECKING:
    from studyhub.data.shards import Shards

STOPPED = 130
LISTS = "split.csv"
# Where no terminal says how wide it is, a table is for a file, and nothing is gained by breaking its lines.
FILE_WIDTH = 160


@dataclass(frozen=True)
class Prepared:
    """A study that is read and planned, and where its data and results lie; ``shards`` are folders, as absolute paths or URIs."""

    spec: StudySpec
    plan: Plan
    store: Store
    shards: tuple[str, ...]

    def missing(self) -> dict[str, Trial]:
        """Trials without a result, all arms of one seed before the next seed.

        So arms can be compared early, and each kernel is compiled by one trial, not by the seeds of an arm at once. Those that another
        launch is at come last: perhaps they are done by then.
        """
        open_trials = {name: trial for name, trial in self.plan.trials.items() if self.store.result(name) is None}
        return dict(sorted(open_trials.items(), key=lambda item: (self.store.state(item[0]) == "running", item[1].seed)))

    def unscored(self) -> dict[str, External]:
        """Simulations from elsewhere without a result."""
        return {name: external for name, external in self.plan.externals.items() if self.store.result(name) is None}


def prepare(study: Path, home: Path, overrides: Sequence[str] = (), data: Sequence[str] = (), name: str | None = None) -> Prepared:
    """Read and plan a study.

    Nothing is built or written, and neither torch nor ray is loaded; but virtual basins are made where folds depend on their facts.
    """
    spec = read(study, overrides, data, name)
    shards = _folders(spec.data, home)
    return Prepared(spec, plan(spec, _facts(spec, shards)), Store(home), shards)


def _folders(data: Synthetic | ShardFolder, home: Path) -> tuple[str, ...]:
    if isinstance(data, ShardFolder):
        return tuple(map(absolute, data.shards))
    return (str((home / "store" / "data" / f"synthetic-{_settings(data).identity}").absolute()),)


def _facts(spec: StudySpec, shards: tuple[str, ...]) -> Facts:
    """What the plan must know of the data."""
    if isinstance(spec.data, ShardFolder):
        return Manifest.open(shards)
    if spec.needs_facts:
        return _built(spec.data, shards, Console(stderr=True)).manifest
    settings = _settings(spec.data)
    return DataFacts(settings.names, settings.variables, settings.attribute_names, settings.hash)


def _settings(data: Synthetic) -> SyntheticSettings:
    return SyntheticSettings(basins=data.basins, years=data.years, seed=data.seed)


def launch(study: Path, home: Path, overrides: Sequence[str] = (), data: Sequence[str] = (), name: str | None = None) -> int:
    """Run what is missing of a study, write and print its scores, and return the exit code.

    0: every trial finished, or diverged where its arm may; 1: some did not; 130: stopped by a signal.
    """
    begun, notes = time.monotonic(), Console(stderr=True)
    prepared = prepare(study, home, overrides, data, name)
    prepared.store.check_writable()
    missing, unscored = prepared.missing(), prepared.unscored()
    _greet(prepared, (*missing, *unscored), notes)
    if unscored:  # before anything is trained: a table that cannot be used is known at once
        _score(prepared, unscored, notes)
    if missing:
        stopped = _run(prepared, missing, notes)
        code = _conclude(prepared, notes, time.monotonic() - begun)
    else:
        stopped = False
        _write_study(prepared)
        with _mirroring(prepared, notes):
            code = _conclude(prepared, notes, time.monotonic() - begun)
    if stopped and prepared.missing():
        notes.print("stopped; the same command goes on where this one ended")
        return STOPPED
    return code


def _greet(prepared: Prepared, missing: Sequence[str], notes: Console) -> None:
    notes.print(describe(prepared.spec, prepared.plan), markup=False, highlight=False, soft_wrap=True)
    every = len(prepared.plan.trials) + len(prepared.plan.externals)
    if len(missing) < every:
        notes.print(f"\n{every - len(missing)} of {every} trials are there already", highlight=False)
    for damage in filter(None, map(prepared.store.damage, missing)):
        notes.print(damage, markup=False, highlight=False, soft_wrap=True)
    notes.print()


def _score(prepared: Prepared, unscored: dict[str, External], notes: Console) -> None:
    """Score the simulations from elsewhere, here and now."""
    from studyhub.runner import external

    shards = _shards(prepared, notes)
    _write_study(prepared)
    for cell in prepared.plan.cells:
        arm = prepared.spec.arm(cell.arm)
        if cell.trial in unscored and isinstance(arm, ExternalArm):
            result = external.run(cell.trial, unscored[cell.trial], arm.table, shards, prepared.store)
            fold = f", fold {cell.fold}" if len(prepared.plan.folds) > 1 else ""
            said = f"{arm.name}{fold}: {external.told(result, len(unscored[cell.trial].test_basins))}"
            notes.print(said, markup=False, highlight=False, soft_wrap=True)


def _run(prepared: Prepared, missing: dict[str, Trial], notes: Console) -> bool:
    """Check all that can be checked, then run ``missing``; return whether a signal stopped it."""
    from studyhub.data.check import check
    from studyhub.runner import workers

    resources = prepared.spec.resources
    with notes.status("starting Ray") as starting, workers.cluster() as nodes:
        starting.stop()
        each = workers.share(resources.cpus, resources.gpus, len(missing), nodes)
        shards = _shards(prepared, notes)
        with notes.status("checking the data") as shown:
            check(shards, missing.values(), lambda done, of: shown.update(f"checking the data: {done} of {of} basins"))
        _write_study(prepared)
        _precompile(missing.values(), each.device, int(sum(node.get("CPU", 0) for node in nodes)), notes)
        with Progress(_rows(prepared, missing), Show(notes)) as progress, _mirroring(prepared, notes):
            return workers.run(missing, home=prepared.store.home, shards=prepared.shards, each=each, progress=progress)


def _precompile(trials: Iterable[Trial], device: str, processes: int, notes: Console) -> None:
    """Compile what this machine has not compiled yet. Where that fails, trials do it themselves."""
    from studyhub.runner.precompile import precompile, wanted

    kernels = wanted(trials, device)
    if not kernels:
        return
    about = f"compiling {len(kernels)} kernel{'s' if len(kernels) > 1 else ''} (once per machine, about 20 s each)"
    notes.print(about, highlight=False)
    with notes.status(f"0 of {len(kernels)} compiled") as shown:
        for fault in precompile(kernels, processes, lambda done: shown.update(f"{done} of {len(kernels)} compiled")):
            notes.print(fault, markup=False, highlight=False, soft_wrap=True)


def _mirroring(prepared: Prepared, notes: Console) -> AbstractContextManager[None]:
    """Keep MLflow up to date meanwhile."""
    from studyhub.runner.mirroring import mirroring

    return mirroring(prepared.store, prepared.spec.name, lambda told: notes.print(told, markup=False, highlight=False, soft_wrap=True))


def _shards(prepared: Prepared, notes: Console) -> "Shards":
    """Open the data; virtual basins are made when they are first needed."""
    from studyhub.data.shards import Shards

    data = prepared.spec.data
    shards = Shards.open(prepared.shards) if isinstance(data, ShardFolder) else _built(data, prepared.shards, notes)
    return replace(shards, fill=data.fill)


def _built(data: Synthetic, shards: tuple[str, ...], notes: Console) -> "Shards":
    from studyhub.data.synthetic import build

    (folder,) = map(Path, shards)
    if not folder.exists():
        notes.print(f"making {data.basins} virtual basins of {data.years} years (once)")
    return build(_settings(data), folder)


def _write_study(prepared: Prepared) -> None:
    store, spec = prepared.store, prepared.spec
    frozen = Frozen.of(prepared.plan.folds, spec.split)
    folder = store.write_study(spec.name, spec.text(), prepared.plan.cells, _data(prepared, frozen.hash))
    write_texts({folder / LISTS: frozen.to_csv()})
    store.declare(spec.name, [claim_text(claim.better, claim.than, claim.metric) for claim in spec.compare])


def _data(prepared: Prepared, lists: str) -> dict[str, Any] | None:
    """What reports and trackers must know of data and folds once the shards are gone; None where virtual basins are."""
    if not isinstance(prepared.spec.data, ShardFolder) and not Path(prepared.shards[0]).exists():
        return None
    manifest, plan = Manifest.open(prepared.shards), prepared.plan
    used = {basin for fold in plan.folds for basin in (*fold.train_basins, *fold.test_basins)}
    facts = {basin: dict(known) for basin, known in manifest.metadata.items() if basin in used}
    folds = [
        {"number": fold.number, "name": fold.name, "train": len(fold.train_basins), "test": len(fold.test_basins)} for fold in plan.folds
    ]
    split = {"kind": prepared.spec.division.rule.kind, "hash": lists, "folds": folds, "left_out": [asdict(out) for out in plan.left_out]}
    content = manifest.hash(manifest.basins, manifest.variables)
    return {"source": manifest.source, "hash": content, "split": split, "basins": facts}


def _rows(prepared: Prepared, missing: Iterable[str]) -> list[Row]:
    """A progress row for each trial, under the name of the first cell that it answers."""
    first = {cell.trial: cell for cell in reversed(prepared.plan.cells)}
    return [Row(name, first[name].arm, str(first[name].fold), first[name].seed) for name in missing]


def _conclude(prepared: Prepared, notes: Console, seconds: float) -> int:
    """Write scores and report and print what they say; 0 where every cell ended as its arm may, else 1."""
    from studyhub.report.collect import collect, write_scores
    from studyhub.report.render import compose, write
    from studyhub.report.terminal import table

    store, name = prepared.store, prepared.spec.name
    results = collect(store, name)
    out = Console()
    if not out.is_terminal:
        out = Console(width=FILE_WIDTH)
    out.print()
    out.print(table(results, out.width))
    written = {"scores": write_scores(results, store.study_folder(name))}
    try:
        page = compose(results)
        out.print(f"\n{page.answer.lead}\n", markup=False, highlight=False)
        written["report"] = write(page, store.home / "reports" / name)
    except StudyhubError as error:  # the results are safe, and a report can be made at any time
        notes.print(f"{error}; then `studyhub report {name}`", markup=False, highlight=False, soft_wrap=True)
    for what, path in written.items():
        out.print(f"{what}  {path}", markup=False, highlight=False, soft_wrap=True)
    out.print(f"browse  studyhub ui {store.study_folder(name)}", markup=False, highlight=False, soft_wrap=True)
    notes.print(f"took {duration(seconds)}", highlight=False)
    return int(any(unexpected(prepared.spec, run.cell.arm, run.state) for run in results.runs))


def unexpected(spec: StudySpec, arm: str, state: str) -> bool:
    """Tell whether a cell in this state is not what the study expects in the end."""
    return state != "finished" and not (state == "diverged" and spec.arm(arm).may_diverge)


def main() -> int:
    """Run ``studyhub launch`` with this process's arguments."""
    from studyhub.cli import main as studyhub

    return studyhub(["launch", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
