"""What a trial will take, measured on a shortened form of it: two epochs of a few updates, and the test of some of its basins.

In a process of its own, so that threads and memory are as in a worker, and torch is not loaded by the process that plans.
"""

import json
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studyhub.catalog import variables
from studyhub.data.manifest import Where
from studyhub.errors import DataError, StudyhubError
from studyhub.study.estimate import unknown
from studyhub.study.files import make_folder, write_json
from studyhub.study.known_costs import calibration_path
from studyhub.study.plan import Plan
from studyhub.study.settings import Trial
from studyhub.study.shape import Resources
from studyhub.study.store import Store
from studyhub.study.wording import listed

if TYPE_CHECKING:
    from studyhub.data.shards import Shards
    from studyhub.training.state import Epoch

MODULE = "studyhub.runner.calibrate"
UPDATES, TESTED = 5, 64  # updates of an epoch; basins that are tested
MOST = 5  # arms named at once
# Files of an attempt whose size grows with the basins that are tested; those of a row per basin are mostly a list of columns.
OF_BASINS = ("simulation.parquet", "parameters.parquet")


def calibrate_unknown(
    store: Store,
    plan: Plan,
    resources: Resources,
    *,
    shards: Sequence[str],
    device: str,
    study: str | None = None,
    say: Callable[[str], None],
) -> int:
    """Measure each kind of missing trial that nothing is known of, and keep that for estimates; return how many were measured.

    Parameters
    ----------
    shards : the basins, which must be there
    device : "cpu" or "cuda"
    study : the name under which the plan's study is stored, if it is
    say : gets a line before each, and one where a kind cannot be measured, which stops no other
    """
    trials, measured = unknown(store, plan, resources, study), 0
    if trials:
        store.check_writable()
        _compile((trial for trial, _ in trials.values()), device, say)
    for number, (kind, (trial, arms)) in enumerate(trials.items(), 1):
        say(f"calibrating {number} of {len(trials)}: {listed(arms, MOST)}")
        try:
            found = calibrate(trial, shards, resources.cpus, device)
        except StudyhubError as error:
            say(f"this one cannot be measured: {error}")
            continue
        path = calibration_path(store, kind)
        make_folder(path.parent)
        write_json(path, found)
        measured += 1
    return measured


def calibrate(trial: Trial, shards: Where, cpus: int, device: str) -> dict[str, Any]:
    """Run a shortened form of a trial and say what the whole will take, as `studyhub.study.costs.Cost.of` reads it.

    Returns
    -------
    ``seconds``, ``bytes``, ``epochs``, ``seconds_per_epoch``, ``cpus`` and ``device`` of the whole; and what that is made of: seconds of
    the ``setup``, of an ``update``, a ``validation`` and the ``test``, and ``updates_per_epoch``

    Raises
    ------
    DataError
        the shortened trial does not come to its end: why
    """
    given = pickle.dumps((trial, shards, cpus, device))
    run = subprocess.run([sys.executable, "-m", MODULE], input=given, capture_output=True, check=False)
    if run.returncode:
        lines = run.stderr.decode(errors="replace").strip().splitlines()
        raise DataError(lines[-1] if lines else f"the process ended with {run.returncode}")
    return json.loads(run.stdout.splitlines()[-1])


def _compile(trials: Iterable[Trial], device: str, say: Callable[[str], None]) -> None:
    from studyhub.runner.precompile import compile_lacking, wanted

    _, faults = compile_lacking(wanted(trials, device))
    for fault in faults:
        say(fault)


@dataclass(frozen=True)
class Run:
    """A shortened trial that has run.

    Parameters
    ----------
    trial : as it was shortened
    begun, ended : in seconds of one clock, as are ``epochs``: end of each
    seconds, updates : of each epoch, validation left out
    sizes : bytes of its files
    """

    trial: Trial
    begun: float
    ended: float
    epochs: tuple[float, ...]
    seconds: tuple[float, ...]
    updates: tuple[int, ...]
    sizes: Mapping[Path, int]


def measure(trial: Trial, shards: Where, cpus: int, device: str) -> dict[str, Any]:
    """Measure in this process."""
    from studyhub.data.shards import Shards
    from studyhub.runner.globals import contained
    from studyhub.runner.trial import run

    short = shortened(trial, Shards.open(shards, trial.fill))
    epochs: list[tuple[float, float, int]] = []
    with tempfile.TemporaryDirectory() as place, contained(trial.seed, cpus):
        folder, begun = Path(place), time.perf_counter()

        def on_epoch(epoch: "Epoch") -> None:
            epochs.append((time.perf_counter(), epoch.seconds, max(epoch.updates, 1)))

        outcome = run(short, shards, folder, cpus=cpus, device=device, on_epoch=on_epoch)
        ended = time.perf_counter()
        if outcome.state != "finished":
            raise DataError(f"it has {outcome.state} within its first updates")
        sizes = {path.relative_to(folder): path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    ends, seconds, updates = zip(*epochs, strict=True)
    return extrapolated(trial, Run(short, begun, ended, ends, seconds, updates, sizes)) | {"cpus": cpus, "device": device}


def shortened(trial: Trial, shards: "Shards") -> Trial:
    """Return the trial with two short epochs, and fewer basins where that makes no difference to what is measured.

    Of a training that has some basins in memory at a time only these are read and trained on: each of a few updates would wait for basins
    that serve many updates of the whole.
    """
    training, trained, tested = trial.training, trial.train_basins[: trial.training.resident], trial.test_basins[:TESTED]
    short = replace(training, epochs=2, updates_per_epoch=UPDATES, resident=None)
    content = shards.hash((*trained, *tested), variables(trial.model))
    return replace(trial, training=short, train_basins=trained, test_basins=tested, data=content, parent=None)


def extrapolated(trial: Trial, run: Run) -> dict[str, Any]:
    """What the whole trial takes, from its shortened form."""
    from studyhub.data.windows import epoch_length

    training, split, basins = trial.training, trial.split, len(trial.train_basins)
    # The first epoch warms up what the others find ready: only what came before it is taken from it.
    update, between = run.seconds[1] / run.updates[1], run.epochs[1] - run.epochs[0] - run.seconds[1]
    loading = max(0.0, run.epochs[0] - run.begun - run.seconds[0] - between)
    groups, tested = basins / len(run.trial.train_basins), len(trial.test_basins) / len(run.trial.test_basins)
    batch = min(training.batch, len(run.trial.train_basins))
    updates = training.updates_per_epoch or epoch_length(batch, training.window, basins, split.train.days, split.warmup)
    # Basins that do not stay in memory are read anew in each epoch, beside the updates.
    reading = loading * min(groups, updates) if groups > 1 else 0.0
    setup, validation, test = loading * groups, between * groups, (run.ended - run.epochs[1]) * tested
    each = max(updates * update, reading) + validation
    return {
        "seconds": setup + training.epochs * each + test,
        "epochs": training.epochs,
        "seconds_per_epoch": each,
        "bytes": round(sum(_grown(path, size, training.epochs, tested) for path, size in run.sizes.items())),
        "setup": setup,
        "update": update,
        "updates_per_epoch": updates,
        "validation": validation,
        "test": test,
    }


def _grown(path: Path, size: int, epochs: int, tested: float) -> float:
    """Bytes of a file of the whole trial, from those of the shortened one."""
    if path.name == "checkpoint.npz":
        return 0
    if path.name in OF_BASINS:
        return size * tested
    return size * epochs / 2 if path.parts[0] == "epochs" else size


def main() -> int:
    trial, shards, cpus, device = pickle.loads(sys.stdin.buffer.read())
    try:
        found = measure(trial, shards, cpus, device)
    except StudyhubError as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 1
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
