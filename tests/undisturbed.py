"""The trials of a study, run in this process one after the other: what they come to where nothing goes wrong."""

from pathlib import Path

from studyhub.prepared import prepare
from studyhub.runner.attempt import Place, attempt
from studyhub.runner.precompile import compile_lacking, wanted
from studyhub.runner.schedule import Schedule


def run(study: Path, home: Path) -> None:
    """Run all trials of a study that has no searches."""
    prepared = prepare(study, home)
    prepared.data(print)
    compile_lacking(wanted(prepared.plan.trials.values(), "cpu"))
    place, schedule = Place(home, prepared.shards, home / "stop", 1, "cpu"), Schedule(prepared.plan, prepared.store)
    while (task := schedule.next()) is not None:
        told = []
        attempt(task, place, told.append)
        assert told[-1]["state"] == "finished", told
        schedule.ended(task.name, "finished")
