"""What each trial gets of a cluster: no Ray, no GPU."""

from dataclasses import replace
from datetime import date

import pytest

from studyhub.errors import ResourceError
from studyhub.runner.workers.share import Node, Share, Shares, measured
from studyhub.study.ids import kind_of
from studyhub.study.settings import Model, Period, Split, Training, Trial
from studyhub.study.shape import Resources
from studyhub.study.tasks import Task

SPLIT = Split(Period(date(2000, 1, 1), date(2001, 12, 31)), Period(date(2003, 1, 1), date(2004, 12, 31)))
SMALL = Trial(Model("lstm", ("prcp",), ()), Training(), SPLIT, ("1",), ("1",), 1, "data", backend="cuda")
LARGE = replace(SMALL, model=replace(SMALL.model, hidden_size=512))
TASK, BIG = Task("0" * 16, SMALL), Task("1" * 16, LARGE)

HERE, TWO, WIDE = Node("here", 2), Node("two", 16, 2, 80.0), Node("wide", 64)
OLD = Node("old", 16, 1, 16.0)


@pytest.mark.parametrize(
    ("cpus", "gpus", "trials", "nodes", "expected"),
    [
        (1, "auto", 10, [HERE], Share(1, 0.0)),
        (1, "auto", 100, [TWO], Share(1, 0.125)),
        (4, "auto", 100, [TWO], Share(4, 0.5)),
        (1, "auto", 3, [TWO], Share(1, 0.5)),
        (1, "auto", 1, [TWO], Share(1, 1.0)),
        (1, "auto", 100, [WIDE, TWO], Share(1, 0.125)),
        (4, "auto", 100, [WIDE, Node("narrow", 2, 1)], Share(4, 0.0)),
        (8, 1, 1, [TWO], Share(8, 1.0)),
        (2, 0, 5, [HERE], Share(2, 0.0)),
        (2, 0, 5, [TWO], Share(2, 0.0)),
    ],
)
def test_a_trial_gets_its_processors_and_an_equal_part_of_a_gpu(cpus, gpus, trials, nodes, expected):
    shares = Shares(Resources(cpus=cpus, gpus=gpus), nodes, trials)
    assert shares.of(TASK) == expected
    assert shares.device == ("cuda" if expected.gpus else "cpu")


@pytest.mark.parametrize(
    ("memory", "nodes", "part"),
    [
        (6, [TWO], 0.0769),  # 13 on 80 GiB
        (40, [TWO], 0.5),
        (50, [TWO], 1.0),
        (6, [TWO, OLD], 0.5),  # a part means the same on both: two fit the smaller one
        (6, [Node("unknown", 16, 2)], 0.125),
        (6, [WIDE], 0.0),
    ],
)
def test_declared_memory_says_how_many_trials_share_a_gpu(memory, nodes, part):
    assert Shares(Resources(gpu_memory=memory), nodes, 100).of(TASK).gpus == part


def test_parts_never_add_up_to_more_than_a_gpu():
    for memory in range(1, 80):
        part = Shares(Resources(gpu_memory=memory), [TWO], 100).of(TASK).gpus
        assert part * int(80 // memory) <= 1.0


def test_finished_trials_of_the_same_kind_say_how_much_memory_is_needed():
    shares = Shares(Resources(), [TWO], 100, {kind_of(SMALL): 2048.0})
    assert shares.of(TASK).gpus == pytest.approx(1 / 26, abs=1e-4)  # 3 GiB with room and context
    assert shares.of(BIG).gpus == 0.125, "of this kind nothing is known"
    assert shares.of(replace(TASK, trial=replace(SMALL, seed=5))).gpus < 0.125, "another seed is of the same kind"
    shares.learn({"kind": kind_of(LARGE), "peak_memory_mib": 40_000.0, "provenance": {"device": "NVIDIA H100"}})
    assert shares.of(BIG).gpus == 1.0
    assert Shares(Resources(gpus=0.25), [TWO], 100, {kind_of(SMALL): 2048.0}).of(TASK).gpus == 0.25, "what the study says goes first"
    assert Shares(Resources(gpu_memory=20), [TWO], 100, {kind_of(SMALL): 2048.0}).of(TASK).gpus == 0.25


def test_measured_takes_the_most_and_gpus_only():
    gpu, cpu = {"provenance": {"device": "cuda"}}, {"provenance": {"device": "cpu"}}
    results = [
        {"kind": "a", "peak_memory_mib": 10} | gpu,
        {"kind": "a", "peak_memory_mib": 30.0} | gpu,
        {"kind": "a", "peak_memory_mib": 20.0} | gpu,
        {"kind": "b", "peak_memory_mib": 900.0} | cpu,
        {"peak_memory_mib": 900.0} | gpu,
        {"kind": "c", "peak_memory_mib": None} | gpu,
        {},
    ]
    assert measured(results) == {"a": 30.0}


def test_a_trial_alone_keeps_others_away():
    alone = replace(TASK, alone=True)
    assert Shares(Resources(), [HERE, WIDE], 9).of(alone) == Share(64, 0.0)
    assert Shares(Resources(), [TWO], 9).of(alone) == Share(1, 1.0)
    assert Shares(Resources(gpus=2), [TWO], 9).of(alone) == Share(1, 2.0)
    assert Shares(Resources(cpus=4, gpus=0.5), [TWO], 9).of(alone) == Share(4, 1.0)


def test_slots_are_those_of_nodes_that_can_run_a_trial():
    assert Shares(Resources(cpus=4), [HERE, WIDE, Node("small", 5)], 9).slots == 17
    assert Shares(Resources(cpus=4), [WIDE, TWO], 9).slots == 4
    assert Shares(Resources(cpus=4, gpus=0), [WIDE, TWO], 9).slots == 20


@pytest.mark.parametrize(
    ("said", "nodes", "message"),
    [
        ({"cpus": 4}, [HERE], "`resources.cpus`: 4 per trial are asked for, but this machine has 2 CPUs and 0 GPUs; lower it"),
        ({"gpus": 0.5}, [HERE], "`resources.gpus`: 0.5 per trial are asked for, but this machine has 2 CPUs and 0 GPUs; set `gpus: auto`"),
        ({"gpus": 1.5}, [TWO], "a part of one GPU or whole GPUs are required, got 1.5"),
        ({"cpus": 4}, [HERE, HERE], "the nodes have 2 CPUs and 0 GPUs; 2 CPUs and 0 GPUs"),
        ({"cpus": 2, "gpus": 1}, [Node("a", 1, 1), HERE], "the nodes have"),
        ({"gpu_memory": 90}, [TWO], "`resources.gpu_memory`: 90 GiB per trial are asked for, but the smallest GPU has 80 GiB; lower it"),
    ],
)
def test_what_no_node_has_is_refused(said, nodes, message):
    with pytest.raises(ResourceError, match=message.replace("`", ".")):
        Shares(Resources(**said), nodes, 1)
