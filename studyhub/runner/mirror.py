"""The one door to MLflow: bring the runs of a study up to date with the store.

The store is the truth. What stands in MLflow follows from it alone, so a mirror may begin, end or be repeated at any time: it finds its
runs again by their tag ``trial``, and adds what they lack.
"""

import logging
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from studyhub.errors import StudyhubError, TrackingError
from studyhub.runner.measures import Point
from studyhub.runner.members import Member
from studyhub.runner.runs import Ending, Epoch, Run, StudyRuns, same
from studyhub.runner.shown import STATUS, Counts, Shown
from studyhub.runner.tracking import Tracking
from studyhub.study.files import writing
from studyhub.study.leases import ENDS
from studyhub.study.standing import Standing
from studyhub.study.store import Store

# Read by MLflow when it is imported. One that is away must not hold up a launch for the minutes that are its own defaults.
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "PGCONNECT_TIMEOUT": "10",
}
for _name, _value in ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)

from mlflow import MlflowClient  # noqa: E402
from mlflow.entities import Experiment, Metric, Param, RunTag, ViewType  # noqa: E402
from mlflow.entities import Run as Logged  # noqa: E402
from mlflow.store.db.utils import create_sqlalchemy_engine  # noqa: E402

# What MLflow and its parts say at length, and with passwords, is said here in one line.
for _name in ("mlflow", "alembic", "sqlalchemy", "urllib3.connectionpool"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)

FOREIGN = ("mlflow", "sqlalchemy", "alembic", "psycopg", "sqlite3", "requests", "urllib3")
NOTE = "mlflow.note.content"
PASSING = ("cause", NOTE)  # tags that a later attempt may have no use for
BATCH = 800  # MLflow takes 1000 metrics, parameters and tags at once
PAGE = 1000
HOME_ID = ".home-id"


class Mirror:
    """The runs of one study in MLflow. One process at a time may write to them: see `studyhub.runner.mirroring`."""

    def __init__(self, store: Store, name: str, tracking: Tracking):
        self.name, self.tracking = name, tracking
        self._folder = store.study_folder(name)
        self._home = _home_id(self._folder.with_name(HOME_ID))
        self._study = StudyRuns(store, name, {"home": self._home})
        self._client: MlflowClient | None = None
        self._experiment = ""
        self._told: dict[str, str] = {}
        self._shown: dict[str, Shown] = {}

    def sync(self, abandoned: Callable[[], bool] = lambda: False) -> Counts:
        """Look at every trial of the study and bring its run up to date; those that ended before are not read again.

        Parameters
        ----------
        abandoned : asked before each trial; True ends the look

        Raises
        ------
        TrackingError
            MLflow does not answer
        """
        counts = Counts()
        with answering(self.tracking, self._folder):
            changed = self._study.refresh()
            client = self._client or self._open()
            self._tell_experiment(client)
            if changed:
                for shown in self._shown.values():
                    shown.seen = None
            members = self._study.members
            open_trials = [
                trial for trial, member in members.items() if trial not in self._shown or not self._shown[trial].is_settled(member)
            ]
            counts.unchanged += len(members) - len(open_trials)
            for trial, standing in self._study.store.look_at(open_trials).items():
                if abandoned():
                    return counts
                self._bring(client, members[trial], standing, counts)
            for trial in self._shown.keys() - members.keys():
                self._remove(client, trial, counts)
        return counts

    def _open(self) -> MlflowClient:
        """Connect; make the database and the experiment where there are none, and find the study's runs."""
        client = connect(self.tracking)
        self._experiment = self._find_experiment(client).experiment_id
        for logged in sorted(_runs(client, self._experiment), key=lambda logged: logged.info.start_time):
            tags = dict(logged.data.tags)
            trial = tags.get("trial")
            if trial is None or not (self.tracking.own or tags.get("home") == self._home):
                continue  # someone else's
            if trial in self._shown:
                client.delete_run(logged.info.run_id)
            else:
                self._shown[trial] = Shown(logged.info.run_id, logged.info.status, logged.info.start_time, dict(logged.data.params), tags)
        self._client = client
        return client

    def _find_experiment(self, client: MlflowClient) -> Experiment:
        place = None if self.tracking.artifacts is None else (self.tracking.artifacts / self.name).as_uri()
        found = client.get_experiment_by_name(self.name)
        if found is not None and found.lifecycle_stage == "deleted":
            client.restore_experiment(found.experiment_id)
        if found is not None and self.tracking.own and found.artifact_location != place:
            # The home was moved or copied: what is written from now on must not go to where it was.
            client.rename_experiment(found.experiment_id, f"{self.name}, {secrets.token_hex(4)}")
            client.delete_experiment(found.experiment_id)
            found = None
        return found or client.get_experiment(client.create_experiment(self.name, artifact_location=place))

    def _tell_experiment(self, client: MlflowClient) -> None:
        told = {NOTE: self._study.question, "mlflow.experimentKind": "custom_model_development", **self._study.views}
        if told == self._told:
            return
        known = client.get_experiment(self._experiment).tags
        for key, value in told.items():
            if known.get(key) != value:
                client.set_experiment_tag(self._experiment, key, value)
        self._told = told

    def _bring(self, client: MlflowClient, member: Member, standing: Standing, counts: Counts) -> None:
        shown, seen = self._shown.get(member.trial), (member, standing.state, standing.attempt)
        if standing.state == "pending":
            self._remove(client, member.trial, counts)
        elif shown is not None and shown.seen == seen and standing.state != "running":
            counts.unchanged += 1
        else:
            self._write(client, self._study.run(member, standing), standing, counts)
            self._shown[member.trial].seen = seen
            if standing.state in ENDS:
                self._study.forget(member.trial)

    def _remove(self, client: MlflowClient, trial: str, counts: Counts) -> None:
        shown = self._shown.pop(trial, None)
        if shown is not None:
            client.delete_run(shown.id)
            counts.removed += 1

    def _write(self, client: MlflowClient, run: Run, standing: Standing, counts: Counts) -> None:
        shown = self._shown.get(run.trial)
        whole = shown is not None and shown.ended_as(run)
        epochs = {} if whole else self._study.epochs(run.trial, run.attempt)
        if shown is not None and (shown.contradicts(run) or (not whole and _learned_otherwise(client, shown, epochs))):
            self._remove(client, run.trial, counts)
            shown, epochs = None, self._study.epochs(run.trial, run.attempt)
        if shown is None:
            shown = self._shown[run.trial] = self._make(client, run)
            counts.made += 1
            _add(client, shown, run, epochs, self._ending(run, standing))
        elif _add(client, shown, run, epochs, Ending() if whole else self._ending(run, standing)):
            counts.updated += 1
        else:
            counts.unchanged += 1

    def _ending(self, run: Run, standing: Standing) -> Ending:
        return Ending() if run.state == "running" else self._study.ending(run, standing.result)

    def _make(self, client: MlflowClient, run: Run) -> Shown:
        made = client.create_run(self._experiment, start_time=run.begun, tags=run.tags, run_name=run.name)
        return Shown(made.info.run_id, "RUNNING", run.begun, {}, dict(run.tags), losses={})


def _home_id(path: Path) -> str:
    """What tells this home's runs from those that another has put into the same experiment; it is drawn once, and moves with the home."""
    if not path.exists():
        with writing(path), suppress(FileExistsError), path.open("x", encoding="ascii") as file:
            file.write(secrets.token_hex(8))
    return path.read_text(encoding="ascii").strip()


def _learned_otherwise(client: MlflowClient, shown: Shown, epochs: dict[int, Epoch]) -> bool:
    """Tell whether a run holds epochs of an attempt that another one did not repeat."""
    if shown.losses is None:
        held = {metric.step: None for metric in client.get_metric_history(shown.id, "epoch_seconds")}
        shown.losses = held | {metric.step: metric.value for metric in client.get_metric_history(shown.id, "loss")}
    return any(number in epochs and not same(loss, epochs[number].loss) for number, loss in shown.losses.items())


def _add(client: MlflowClient, shown: Shown, run: Run, epochs: dict[int, Epoch], ending: Ending) -> bool:
    """Add what a run lacks, its status last; tell whether that was anything."""
    status, held = STATUS[run.state], shown.losses or {}
    new = [epoch for number, epoch in epochs.items() if number not in held]
    params = {key: value for key, value in run.params.items() if key not in shown.params}
    tags = {key: value for key, value in {**run.tags, **ending.tags}.items() if shown.tags.get(key) != value}
    for file in ending.files:
        client.log_artifact(shown.id, str(file))
    _log(client, shown.id, [*(point for epoch in new for point in epoch.points), *ending.points], params, tags)
    for key in [key for key in PASSING if key in shown.tags and key not in run.tags]:
        client.delete_tag(shown.id, key)
        del shown.tags[key]
    if status != shown.status:
        if status == "RUNNING":
            client.update_run(shown.id, status=status)
        else:
            client.set_terminated(shown.id, status, end_time=run.ended)
    added = bool(new or params or tags or status != shown.status)
    shown.status, shown.params, shown.tags = status, shown.params | params, shown.tags | tags
    shown.losses = held | {epoch.number: epoch.loss for epoch in new}
    return added


def _log(client: MlflowClient, run: str, points: Sequence[Point], params: dict[str, str], tags: dict[str, str]) -> None:
    metrics = [Metric(point.name, point.value, point.at, point.step) for point in points]
    if metrics or params or tags:
        client.log_batch(run, metrics[:BATCH], [Param(*item) for item in params.items()], [RunTag(*item) for item in tags.items()])
    for first in range(BATCH, len(metrics), BATCH):
        client.log_batch(run, metrics[first : first + BATCH])


def _runs(client: MlflowClient, experiment: str) -> Iterator[Logged]:
    token = None
    while True:
        page = client.search_runs([experiment], run_view_type=ViewType.ACTIVE_ONLY, max_results=PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def connect(tracking: Tracking) -> MlflowClient:
    """Return a client of an MLflow that answers; a database is made where there is none."""
    if tracking.own and set("?%") & set(tracking.uri):  # the database would be made elsewhere, for these mean something in an address
        raise TrackingError(f"{tracking}: the path of an sqlite database cannot hold ? or %; set MLFLOW_TRACKING_URI to another place")
    if not tracking.is_server and "://" in tracking.uri:
        engine = create_sqlalchemy_engine(tracking.uri)  # MLflow itself would try for minutes
        engine.connect().close()
        engine.dispose()
    client = MlflowClient(tracking.uri)
    client.search_experiments(max_results=1)
    return client


def experiments(tracking: Tracking) -> dict[str, str]:
    """Id of each experiment, by its name."""
    with answering(tracking):
        return {found.name: found.experiment_id for found in connect(tracking).search_experiments(max_results=PAGE)}


@contextmanager
def answering(tracking: Tracking, study: str | Path = "STUDY") -> Iterator[None]:
    """Turn what MLflow and its libraries raise into one message."""
    try:
        yield
    except StudyhubError:
        raise
    except Exception as error:
        if not isinstance(error, OSError | ModuleNotFoundError) and type(error).__module__.partition(".")[0] not in FOREIGN:
            raise
        cure = f"nothing is lost: `studyhub mirror {study}` makes it up later"
        raise TrackingError(f"MLflow at {tracking} does not answer ({tracking.cause(error)}); {cure}") from None
