"""What the trials that are missing will cost, in time, GPU-hours and disk: from trials like them that have finished, or were calibrated."""

import os
import shutil
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from heapq import heappop, heappush
from pathlib import Path

from studyhub.study.ids import kind_of
from studyhub.study.known_costs import Known
from studyhub.study.plan import Plan
from studyhub.study.process import machine_cpus
from studyhub.study.settings import Trial
from studyhub.study.shape import Resources
from studyhub.study.store import Store


@dataclass(frozen=True)
class Kind:
    """Missing trials that cost the same: of one kind, over as many epochs.

    Parameters
    ----------
    kind : as `kind_of` says; None for trainings of a search, and what it will choose: they may be of many kinds
    arms : those that they belong to
    trials : how many are missing
    seconds, bytes : of one of them; None where nothing tells
    source : "finished" trials or a "calibration"; None where there is neither
    measured : trials that it is known from
    """

    kind: str | None
    arms: tuple[str, ...]
    epochs: int | None
    trials: int
    seconds: float | None
    bytes: int | None
    source: str | None
    measured: int


@dataclass(frozen=True)
class Estimate:
    """What is missing of a study, and what it will cost at least: what is not known counts as nothing.

    Parameters
    ----------
    finished, missing : trials; searches count with all trainings that they may still do
    unknown : missing trials of which nothing tells how long they take
    seconds : of computing, one after the other
    wall_seconds : to the end, with ``at_once`` of them at a time
    gpu_hours : of it on GPUs
    bytes : on disk; ``free_bytes`` are there, None where that cannot be told
    kinds : the parts of it
    """

    finished: int
    missing: int
    unknown: int
    seconds: float
    wall_seconds: float
    at_once: int
    gpu_hours: float
    bytes: int
    free_bytes: int | None
    kinds: tuple[Kind, ...]


def estimate(store: Store, plan: Plan, resources: Resources, at_once: int | None = None, study: str | None = None) -> Estimate:
    """Estimate what is missing of a plan.

    Parameters
    ----------
    resources : of one trial
    at_once : trials that run at the same time; None: as many as this machine can
    study : the name under which it is stored, if it is, so that trainings of its searches that have ended are known
    """
    known = Known(store, plan, resources.cpus, study)
    parts, after = known.parts()
    seconds: dict[str, float] = {}
    found, on_gpu = [], 0.0
    for part in parts:
        one, size, source, measured = known.cost(part)
        seconds |= dict.fromkeys(part.jobs, one or 0.0)
        on_gpu += (one or 0.0) * len(part.jobs) if any(trial.backend == "cuda" for trial in part.like) else 0.0
        found.append(Kind(part.kind, tuple(part.arms), part.epochs, len(part.jobs), one, size, source, measured))
    gpus = _gpus()
    slots = at_once or _slots(resources, gpus, on_gpu > 0)
    share = min(1.0, max(gpus, 1) / slots) if resources.gpus == "auto" else float(resources.gpus)
    return Estimate(
        finished=len(known.finished),
        missing=sum(kind.trials for kind in found),
        unknown=sum(kind.trials for kind in found if kind.seconds is None),
        seconds=sum(seconds.values()),
        wall_seconds=makespan(seconds, after, slots),
        at_once=slots,
        gpu_hours=on_gpu * share / 3600,
        bytes=sum(kind.trials * (kind.bytes or 0) for kind in found),
        free_bytes=_free(store.home),
        kinds=tuple(found),
    )


def unknown(store: Store, plan: Plan, resources: Resources, study: str | None = None) -> dict[str, tuple[Trial, tuple[str, ...]]]:
    """Kind -> a trial of it and the arms that have such, for each kind of the missing trials of which nothing tells what they cost."""
    known = Known(store, plan, resources.cpus, study)
    parts, _ = known.parts()
    lacking = [part for part in parts if part.like and known.cost(part)[0] is None]
    found: dict[str, tuple[Trial, tuple[str, ...]]] = {}
    for part in lacking:
        kind, trial = kind_of(part.like[0]), part.like[0]
        found[kind] = trial, tuple(dict.fromkeys((*found.get(kind, (trial, ()))[1], *part.arms)))
    return found


def makespan(seconds: Mapping[str, float], after: Mapping[str, Iterable[str]], slots: int) -> float:
    """Time until all jobs are done, ``slots`` of them at once, each begun as soon as it may and one of these is free."""
    waits = {job: {other for other in after.get(job, ()) if other in seconds} for job in seconds}
    followers: dict[str, list[str]] = {}
    for job, others in waits.items():
        for other in others:
            followers.setdefault(other, []).append(job)
    ready, at_work, now = deque(job for job, others in waits.items() if not others), [], 0.0
    while ready or at_work:
        while ready and len(at_work) < slots:
            job = ready.popleft()
            heappush(at_work, (now + seconds[job], job))
        now, job = heappop(at_work)
        for other in followers.get(job, ()):
            waits[other].discard(job)
            if not waits[other]:
                ready.append(other)
    return now


def _slots(resources: Resources, gpus: int, on_gpu: bool) -> int:
    """Trials that this machine can run at once; one where it can run none, for then they run elsewhere."""
    by_cpus = machine_cpus() // resources.cpus
    if on_gpu and resources.gpus != "auto" and resources.gpus:
        return max(1, min(by_cpus, int(gpus / float(resources.gpus))))
    return max(1, by_cpus)


def _gpus() -> int:
    """Count the NVIDIA GPUs that this process may use, without torch."""
    there, visible = len(list(Path("/dev").glob("nvidia[0-9]*"))), os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return there
    shown = [name for name in visible.split(",") if name.strip() and name.strip() != "-1"]
    return min(there, len(shown))


def _free(folder: Path) -> int | None:
    """Bytes that are free where a folder is, or will be."""
    for place in (folder.absolute(), *folder.absolute().parents):
        try:
            return shutil.disk_usage(place).free
        except FileNotFoundError:
            continue
        except OSError:
            break
    return None
