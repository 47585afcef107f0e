"""Which trials belong to a study, and which of their files a verb needs of a home in an object store."""

from collections.abc import Collection

from studyhub.study.leases import FAILURE, STOPPED
from studyhub.study.remote.fetching import CHECKPOINT, EPOCHS_FILE, LOG, Wanted
from studyhub.study.store import Store

# How much of a trial: how it stands; its epochs, scores and log too; all but where it could go on from.
STATE, PROGRESS, ALL = "state", "progress", "all"
ENDINGS = (FAILURE, STOPPED)
SMALL = (*ENDINGS, LOG, EPOCHS_FILE, "scores.parquet", "signatures.parquet", "parameters.parquet")


def trials_of(store: Store, study: str) -> list[str]:
    """Trials that a study needs, those of its searches too."""
    return list(dict.fromkeys([*(cell.trial for cell in store.read_study(study).cells), *searched(store, study)]))


def searched(store: Store, study: str) -> list[str]:
    """Trials that the searches of a study have tried."""
    return [trial["trial"] for search in store.searches(study) for trial in search.get("trials") or [] if trial.get("trial")]


def first_finished(store: Store, study: str) -> set[str]:
    """The first trial of each arm and fold that has finished: a report shows what it simulated."""
    found: dict[tuple[str, int], str] = {}
    for cell in store.read_study(study).cells:
        if (cell.arm, cell.fold) not in found and store.state(cell.trial) == "finished":
            found[cell.arm, cell.fold] = cell.trial
    return set(found.values())


def of_level(level: str, whole: Collection[str] = ()) -> Wanted:
    """Return which files are wanted: of all trials those of a level, of the trials ``whole`` all but weights and checkpoints too."""

    def wanted(trial: str, name: str) -> bool:
        if level == ALL:
            return name != CHECKPOINT
        if level == STATE:
            return name in ENDINGS
        small = name in SMALL or name.startswith(("epochs/", "rung-"))
        return small or trial in whole and name.endswith(".parquet")

    return wanted


def to_go_on_from(parent: str | None) -> Wanted:
    """Return which files a worker needs: of its own trial all, of its parent what a child begins with."""
    return lambda trial, name: trial != parent or name not in (CHECKPOINT, "simulation.parquet")
