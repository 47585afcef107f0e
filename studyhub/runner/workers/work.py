"""What Ray's worker processes do. They load this and what it needs, nothing of what a launch needs beside."""

import gc
from typing import Any

from ray import tune

from studyhub.runner.attempt import Place, TrialRunner, attempt
from studyhub.runner.precompile import ensure, wanted
from studyhub.study.tasks import Task

TRIAL = "trial"


class Handed:
    """A trial on its way to a worker: one value for Tune, which copies, prints and keeps all configurations."""

    def __init__(self, task: Task):
        self.task = task

    def __deepcopy__(self, memo: dict[int, Any]) -> "Handed":
        return self

    def __repr__(self) -> str:
        return "trial"


def work(config: dict[str, Any], place: Place, runner: TrialRunner | None) -> None:
    """Run one trial in a worker process. It is taken out of the configuration, which goes back with every report."""
    task: Task = config.pop(TRIAL).task
    for kernel in wanted([task.trial], place.device):
        ensure(kernel)
    attempt(task, place, tune.report, runner)
    if not gc.get_freeze_count():  # to look through all that libraries have made, after each trial for what it has left, takes 0.5 s
        gc.freeze()


def request(config: dict[str, Any]) -> tune.PlacementGroupFactory:
    """What Tune is to keep for a trial. Its own choice would be the same for all trials of a run."""
    return tune.PlacementGroupFactory([{"CPU": config["cpus"], "GPU": config["gpus"]}])
