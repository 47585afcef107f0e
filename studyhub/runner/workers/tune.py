"""Ray Tune runs what a schedule hands out, each trial in a worker process that the next one uses again.

Tune is an engine here, no record: which trials have ended, and how, is read from the store alone. So nothing that it writes is kept.
"""

import os
import pickle
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ray import tune
from ray.exceptions import RayActorError
from ray.tune.search import Searcher

from studyhub.data.manifest import Where
from studyhub.errors import StoreError
from studyhub.runner.attempt import Place, Report, TrialRunner
from studyhub.runner.failures import one_line
from studyhub.runner.pace import ENDED, Row
from studyhub.runner.progress import Progress
from studyhub.runner.schedule import KILLED, LOST, Schedule
from studyhub.runner.stop import Stop, stopping
from studyhub.runner.workers import aside
from studyhub.runner.workers.share import Shares
from studyhub.runner.workers.waiting import Waiting
from studyhub.runner.workers.work import TRIAL, Handed, request, work
from studyhub.study import remote
from studyhub.study.leases import Lease
from studyhub.study.store import Store
from studyhub.study.tasks import Task

# How Ray says it, which has no other sign for it.
WORKER_DIED = "its worker process has died"
DYING = 10.0  # seconds that a process may take to die


def run(
    schedule: Schedule,
    *,
    home: Path,
    shards: Where,
    shares: Shares,
    progress: Progress,
    row: Callable[[Task], Row],
    runner: TrialRunner | None = None,
) -> bool:
    """Run trials, each in a worker process; return whether a signal stopped them before the end.

    The first SIGINT or SIGTERM lets running trials end their epoch and starts no other; the second ends all at once.
    A trial that fails stops no other, unless the disk is full.

    Parameters
    ----------
    schedule : hands out the trials
    home : folder of store and studies
    shards : the basins, as absolute paths or URIs
    shares : what each trial gets
    row : how the progress shows a trial that it does not know yet
    runner : what runs a trial; None means `studyhub.runner.trial.run`

    Raises
    ------
    StoreError
        The disk is full.
    """
    # As many trials wait for their resources as can run, so that all processors are taken at once; `_Run.next` keeps it to one after that.
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(shares.slots + 1)
    with stopping(home, progress.warn) as stop, tempfile.TemporaryDirectory(prefix="studyhub-tune-", ignore_cleanup_errors=True) as scratch:
        place = Place(remote.origin(home), shards, stop.path, shares.cpus, shares.device)
        about = _Run(schedule, shares, progress, row, Store(home), stop)
        tuner = tune.Tuner(
            tune.with_resources(tune.with_parameters(work, place=place, runner=runner), request),
            tune_config=tune.TuneConfig(
                search_alg=_Feed(about), num_samples=-1, reuse_actors=True, trial_dirname_creator=lambda trial: trial.trial_id
            ),
            run_config=tune.RunConfig(
                name="tune",
                storage_path=scratch,
                verbose=0,
                callbacks=[_Listener(about)],
                stop=_StopAll(about),
                failure_config=tune.FailureConfig(max_failures=0),
            ),
        )
        with about.waiting.watched(), aside.counts():
            tuner.fit()
        about.settle()
        if about.fault is not None:
            raise about.fault
        return stop.asked


class _Run:
    """What Tune's parts do on behalf of the study."""

    def __init__(self, schedule: Schedule, shares: Shares, progress: Progress, row: Callable[[Task], Row], store: Store, stop: Stop):
        self.schedule, self.shares, self.progress, self.row, self.store, self.stop = schedule, shares, progress, row, store, stop
        self.at_work: set[str] = set()
        self.fault: Exception | None = None
        self.waiting = Waiting(progress.warn, lambda name: progress.rows[name].name)
        self._blocked: set[str] = set()

    @property
    def over(self) -> bool:
        return self.stop.asked or self.schedule.finished

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Keep from Tune what goes wrong here, to be raised in the end: it would make a report of its own of it."""
        try:
            yield
        except Exception as error:
            self.give_up(error)

    def give_up(self, fault: Exception) -> None:
        self.fault = self.fault or fault
        self.stop.ask()

    def next(self) -> Task | None:
        """The next trial, if one can run now. Beside those that run one waits at hand, so that no worker has to."""
        task = None if len(self.schedule.running) > self.shares.slots else self.schedule.next()
        if task is not None and task.name not in self.progress.rows:
            self.progress.add([self.row(task)])
        for name in self.schedule.elsewhere:
            if self._shown(name) not in (None, "waiting"):
                self.progress.waiting(name)
        self._tell_blocked()
        return task

    def heard(self, name: str, report: Report) -> None:
        """Pass on what a worker says of a trial before its end."""
        if report["state"] == "running":
            told = (report["epoch"], report["of"], report["loss"], report["validation"])
            self.progress.epoch(name, *told, seconds=report["seconds"])

    def ended(self, name: str, report: Report) -> None:
        self.at_work.discard(name)
        remote.pull_trials(self.store.home, [name], say=self.progress.warn)
        state: str = report["state"]
        cause, kind, rung = (report.get(key) for key in ("cause", "kind", "rung"))
        if self.stop.asked and state in ("stopped", "waiting") and rung is None:
            self.progress.ended(name, "stopped", cause)
            return
        again = self.schedule.ended(name, state, kind, rung)
        if again is not None:
            self._again(name, again)
        elif state == "waiting":
            self.progress.waiting(name)
        else:
            said = None if kind == "disk" else cause if rung is None else f"judged after epoch {rung}"  # a full disk is told of in the end
            self.progress.ended(name, state, said)
        if state == "finished":
            self.shares.learn(self.store.result(name) or {})
        if kind == "disk":
            self.give_up(StoreError(cause))

    def died(self, name: str, kind: str, cause: str) -> None:
        """A worker has died amid a trial, without a word."""
        self.at_work.discard(name)
        remote.pull_trials(self.store.home, [name], say=self.progress.warn)
        again = None if self.stop.asked else self.schedule.ended(name, "failed", kind)
        if again is not None:
            self._again(name, again)
            return
        lease = self._taken_over(name, DYING if kind == KILLED else 0.0)
        if lease is not None:
            lease.fail({"cause": cause, "kind": "worker", "traceback": []})
        self.progress.ended(name, "failed", cause)

    def _taken_over(self, name: str, seconds: float) -> Lease | None:
        """Take a trial from a worker that Ray has lost: one that is killed closes its connections a moment before it is dead."""
        until = time.monotonic() + seconds
        while (lease := self.store.claim(name)) is None and time.monotonic() < until:
            time.sleep(0.05)
        return lease

    def settle(self) -> None:
        """Show as they are the trials that a stop cut off before they began."""
        for name, row in self.progress.rows.items():
            if row.state not in (*ENDED, "blocked"):
                self.progress.correct(name, self.store.state(name))

    def _again(self, name: str, why: str) -> None:
        self.progress.say(f"{self.progress.rows[name].name}: {why}")
        self.progress.correct(name, "pending")

    def _tell_blocked(self) -> None:
        new = {name: cause for name, cause in self.schedule.blocked.items() if name not in self._blocked}
        self._blocked |= new.keys()
        for cause in dict.fromkeys(new.values()):
            names = [name for name, why in new.items() if why == cause and name in self.progress.rows]
            for name in names:
                self.progress.blocked(name)
            if names:
                more = f" and {len(names) - 1} more" if len(names) > 1 else ""
                self.progress.warn(f"{self.progress.rows[names[0]].name}{more} cannot run: {cause}")

    def _shown(self, name: str) -> str | None:
        row = self.progress.rows.get(name)
        return None if row is None else row.state


class _Unpickled:
    """Tune pickles what is given to it into snapshots that nobody reads; what holds terminals and locks goes in empty."""

    def __init__(self, about: _Run):
        super().__init__()
        self.about = about

    def __getstate__(self) -> dict[str, Any]:
        return {}


class _Feed(_Unpickled, Searcher):
    """Where Tune's trials come from."""

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        task = None
        with self.about.guarded():
            task = None if self.about.stop.asked else self.about.next()
            if task is not None:
                share = self.about.waiting.asked[task.name] = self.about.shares.of(task)
                return {TRIAL: Handed(task), "cpus": share.cpus, "gpus": share.gpus}
        return Searcher.FINISHED if self.about.over else None

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Nothing: see `_Listener`."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the store knows it all."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing, likewise."""


class _Listener(_Unpickled, tune.Callback):
    """Passes on what Tune hears from workers."""

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        name = trial.config[TRIAL].task.name
        self.about.at_work.add(name)
        self.about.waiting.begun(name)
        with self.about.guarded():
            self.about.progress.started(name)

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: Report, **info: Any) -> None:
        with self.about.guarded():
            self.about.heard(trial.config[TRIAL].task.name, result)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        with self.about.guarded():
            self.about.ended(trial.config[TRIAL].task.name, trial.last_result)
        trial.config[TRIAL].task = None

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        with self.about.guarded():
            self.about.died(trial.config[TRIAL].task.name, *_death(trial))
        trial.config[TRIAL].task = None


class _StopAll(_Unpickled, tune.Stopper):
    """Ends Tune's run once a stop is asked for and no worker is at a trial any more."""

    def __call__(self, trial_id: str, result: Report) -> bool:
        return False

    def stop_all(self) -> bool:
        return self.about.stop.asked and not self.about.at_work


def _death(trial: Any) -> tuple[str, str]:
    """How a worker died, as the schedule counts it, and in words."""
    error = pickle.loads(Path(trial.pickled_error_file).read_bytes())
    if not isinstance(error, RayActorError):
        return "code", f"its worker could not begin: {one_line(getattr(error, 'cause', None) or error)}"
    if WORKER_DIED in str(error):
        return KILLED, "its worker process was killed"
    return LOST, "its node was lost"
