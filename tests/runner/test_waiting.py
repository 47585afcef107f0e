"""Trials for which no node is left: it is said, and they wait on."""

import io
import os
import re
import signal
import threading
import time

from rich.console import Console
from test_workers import plan_of, row, trials

from studyhub.runner.progress import Progress
from studyhub.runner.schedule import Schedule
from studyhub.runner.show import Show
from studyhub.runner.stop import interruptible
from studyhub.runner.workers import waiting
from studyhub.runner.workers.cluster import cluster
from studyhub.runner.workers.share import Node, Share, Shares
from studyhub.runner.workers.tune import run
from studyhub.runner.workers.waiting import Waiting
from studyhub.study.shape import Resources
from studyhub.study.store import Store
from studyhub.study.tasks import Task

SMALL, LARGE = Node("small", 2), Node("large", 16, 1)


def test_it_is_said_once_and_again_where_a_node_came_and_went():
    said = []
    about = Waiting(said.append, lambda name: f"trial {name}")
    about.asked |= {"a": Share(8, 1.0), "b": Share(8, 1.0), "c": Share(1, 0.0)}
    for nodes in ((SMALL, LARGE), (SMALL,), (SMALL,), (LARGE,), ()):
        about.look(nodes)
    wait = "waiting since 12:00 for a node with 8 CPUs and 1 GPU"
    assert [re.sub(r"\d\d:\d\d", "12:00", line) for line in said] == [
        f"trial a and 1 more: {wait}, the last that is left has less; add one, or stop with Ctrl-C",
        f"trial a and 2 more: {wait}, none is left; add one, or stop with Ctrl-C",
    ]


def test_what_has_begun_waits_for_nothing():
    said = []
    about = Waiting(said.append, str)
    about.asked["a"] = Share(8, 0.0)
    about.begun("a")
    about.begun("a")
    about.look(())
    assert not said


def test_a_launch_says_so_and_waits_until_it_is_stopped(tmp_path, monkeypatch):
    """The node that was there when the launch began, and could hold the trial, is not: Ray alone would say nothing."""
    monkeypatch.setattr(waiting, "LOOK_SECONDS", 0.2)
    some = trials(1)
    show = Show(Console(file=io.StringIO(), width=200))
    gone = Shares(Resources(cpus=999, gpus=0), [Node("gone", 999)], 1)

    def stop() -> None:
        end = time.monotonic() + 60
        while "waiting since" not in show.console.file.getvalue() and time.monotonic() < end:
            time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    with interruptible(), cluster(), Progress([row(Task(name, trial)) for name, trial in some.items()], show) as progress:
        schedule = Schedule(plan_of(some), Store(tmp_path))
        thread = threading.Thread(target=stop)
        thread.start()
        assert run(schedule, home=tmp_path, shards=tmp_path, shares=gone, progress=progress, row=row, runner=lambda *_, **__: None)
        thread.join()
    said = show.console.file.getvalue()
    assert said.count("waiting since") == 1 and "for a node with 999 CPUs, the last that is left has less" in said
