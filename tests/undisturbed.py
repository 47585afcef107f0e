"""The trials of a study, run in this process one after the other: what they come to where nothing goes wrong."""

from pathlib import Path

from studyhub.prepared import prepare
from studyhub.runner.attempt import Place, attempt
from studyhub.runner.precompile import compile_lacking, wanted
from studyhub.runner.schedule import Schedule
from studyhub.underway import UnderWay


def run(study: Path, home: Path) -> tuple[UnderWay, list[str]]:
    """Run all trials of a study and of its searches; return it, and the names of its trials in their order."""
    under_way, order = UnderWay(prepare(study, home)), []
    prepared = under_way.prepared
    prepared.data(print)
    under_way.keep()
    place = Place(home, prepared.shards, home / "stop", 1, "cpu")
    schedule = Schedule(prepared.plan, prepared.store, under_way.searches, under_way)
    while (task := schedule.next()) is not None:
        compile_lacking(wanted([task.trial], "cpu"))
        told = []
        attempt(task, place, told.append)
        schedule.ended(task.name, told[-1]["state"], told[-1].get("kind"), told[-1].get("rung"))
        order.append(task.name)
    assert schedule.finished and not schedule.blocked
    return under_way, order
