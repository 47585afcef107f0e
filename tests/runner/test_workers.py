"""Real Ray, toy trials. Their functions are local ones: Ray then sends their code to the workers, which cannot import this file."""

import io
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from rich.console import Console

from studyhub.errors import ResourceError
from studyhub.runner import workers
from studyhub.runner.progress import Progress, Row
from studyhub.runner.show import Show
from studyhub.runner.workers import Share, machine_cpus, share
from studyhub.study.settings import Model, Period, Split, Training, Trial
from studyhub.study.store import Store

SPLIT = Split(Period(date(2000, 1, 1), date(2001, 12, 31)), Period(date(2003, 1, 1), date(2004, 12, 31)))

DRIVER = """
    import sys, time
    from pathlib import Path
    from types import SimpleNamespace
    from rich.console import Console
    from studyhub.runner import workers
    from studyhub.runner.progress import Progress, Row
    from studyhub.runner.show import Show
    sys.path.insert(0, {tests!r})
    import test_workers as t

    def toy(trial, shards, folder, *, cpus, device, on_epoch):
        (shards / f"began-{{trial.seed}}-{{time.time_ns()}}").touch()
        for number in range(1, 21):
            time.sleep({pause} if trial.seed > 1 else 0.01)
            if on_epoch(SimpleNamespace(number=number, of=20, loss=0.5, validation=None)):
                return SimpleNamespace(state="stopped", result={{}})
        return SimpleNamespace(state="finished", result={{"cause": None}})

    home = Path({home!r})
    trials = t.trials(4)
    with workers.cluster(), Progress(t.rows(trials), Show(Console(width=200))) as progress:
        stopped = workers.run(trials, home=home, shards=home, each=workers.Share(1, 0.0), progress=progress, runner=toy)
    sys.exit(130 if stopped else 0)
"""


def trials(n: int) -> dict[str, Trial]:
    model, training = Model("lstm", ("prcp",), ()), Training(epochs=2)
    return {f"{seed:016x}": Trial(model, training, SPLIT, ("1",), ("1",), seed, "data") for seed in range(n)}


def rows(of: dict[str, Trial]) -> list[Row]:
    return [Row(name, "toy", "all", trial.seed) for name, trial in of.items()]


@pytest.fixture(scope="module")
def nodes():
    with workers.cluster() as nodes:
        yield nodes


def run(home: Path, some: dict[str, Trial], runner) -> tuple[bool, str]:
    out = Console(file=io.StringIO(), width=200)
    with Progress(rows(some), Show(out)) as progress:
        stopped = workers.run(some, home=home, shards=home, each=Share(1, 0.0), progress=progress, runner=runner)
    return stopped, out.file.getvalue()


def begun(home: Path) -> Counter[int]:
    return Counter(int(path.name.split("-")[1]) for path in home.glob("began-*"))


def wait_for(true, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.02)


def driver(home: Path, pause: float) -> subprocess.Popen:
    code = textwrap.dedent(DRIVER.format(tests=os.path.dirname(__file__), home=str(home), pause=pause))
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_study_that_was_killed_stopped_and_run_again_is_finished_once(tmp_path, nodes):
    store, names = Store(tmp_path), list(trials(4))

    # kill -9 after the two quick trials have ended, amid the two slow ones.
    killed = driver(tmp_path, pause=60.0)
    wait_for(lambda: sum(begun(tmp_path).values()) == 4, 150)
    killed.kill()
    killed.communicate()
    assert [store.state(name) for name in names[:2]] == ["finished", "finished"]

    # Ctrl-C, as a terminal sends it: to all processes of the group.
    stopped = driver(tmp_path, pause=0.5)
    wait_for(lambda: sum(begun(tmp_path).values()) == 6, 150)
    os.killpg(stopped.pid, signal.SIGINT)
    out, err = stopped.communicate(timeout=90)
    assert (stopped.returncode, err) == (130, "")
    assert "stopping: running trials end their epoch" in out
    assert [store.state(name) for name in names] == ["finished", "finished", "stopped", "stopped"]
    assert not (tmp_path / "store" / "ray").exists()

    def quick(trial, shards, folder, *, cpus, device, on_epoch):
        from types import SimpleNamespace

        (shards / f"began-{trial.seed}-again").touch()
        return SimpleNamespace(state="finished", result={"cause": None})

    assert run(tmp_path, trials(4), quick)[0] is False
    assert [store.state(name) for name in names] == ["finished"] * 4
    assert begun(tmp_path) == {0: 1, 1: 1, 2: 3, 3: 3}, "what was finished ran again, or what was not did not"


def test_failing_and_dying_trials_stop_no_other(tmp_path, nodes, capfd):
    def runner(trial, shards, folder, *, cpus, device, on_epoch):
        import os
        from types import SimpleNamespace

        if trial.seed == 0:
            raise ValueError("no good")
        if trial.seed == 1:
            os._exit(7)
        on_epoch(SimpleNamespace(number=1, of=1, loss=float("nan"), validation=None))
        state = "finished" if trial.seed > 2 else "diverged"
        cause = {"basin": "7", "store": "SM", "day": "2003-05-01"} if state == "diverged" else None
        return SimpleNamespace(state=state, result={"cause": cause})

    stopped, out = run(tmp_path, trials(6), runner)
    store = Store(tmp_path)
    assert not stopped
    assert [store.state(name) for name in trials(6)] == ["failed", "failed", "diverged", "finished", "finished", "finished"]
    assert "seed 0: failed after" in out and "ValueError: no good" in out
    assert "the worker process died" in store.failure(f"{1:016x}")["cause"]
    assert "basin 7, store SM, day 2003-05-01" in out
    assert len(out.splitlines()) == 6
    assert capfd.readouterr() == ("", "")


def test_a_worker_gets_what_the_share_says_and_starts_clean(tmp_path, nodes):
    def runner(trial, shards, folder, *, cpus, device, on_epoch):
        import os
        from types import SimpleNamespace

        import torch

        found = {
            "process": os.getpid(),
            "dtype": str(torch.get_default_dtype()),
            "threads": torch.get_num_threads(),
            "omp": os.environ["OMP_NUM_THREADS"],
            "cpus": cpus,
            "device": device,
            "draw": torch.rand(1).item(),
        }
        torch.set_default_dtype(torch.float64)
        torch.set_num_threads(2)
        torch.rand(5)
        return SimpleNamespace(state="finished", result={"cause": None, "found": found})

    same_seed = {name: next(iter(trials(1).values())) for name in trials(5)}
    run(tmp_path, same_seed, runner)
    found = [Store(tmp_path).result(name)["found"] for name in same_seed]
    processes = {one.pop("process") for one in found}
    assert len(processes) < len(found), "no process served twice, so nothing was tested"
    assert all(one == found[0] for one in found)
    assert {key: found[0][key] for key in ("dtype", "threads", "omp", "cpus", "device")} == {
        "dtype": "torch.float32",
        "threads": 1,
        "omp": "1",
        "cpus": 1,
        "device": "cpu",
    }


def test_ray_has_the_processors_of_this_process_and_hides_its_token(nodes):
    assert [node["CPU"] for node in nodes] == [machine_cpus()]
    token = Path.home() / ".ray" / "auth_token"
    assert token.stat().st_mode & 0o077 == 0


ONE, GPUS = [{"CPU": 2.0}], [{"CPU": 16.0, "GPU": 2.0}]


@pytest.mark.parametrize(
    ("cpus", "gpus", "trials", "nodes", "expected"),
    [
        (1, "auto", 10, ONE, Share(1, 0.0)),
        (1, "auto", 100, GPUS, Share(1, 0.125)),
        (4, "auto", 100, GPUS, Share(4, 0.5)),
        (1, "auto", 3, GPUS, Share(1, 0.5)),
        (1, "auto", 1, GPUS, Share(1, 1.0)),
        (1, "auto", 100, [{"CPU": 64.0}, *GPUS], Share(1, 0.125)),
        (4, "auto", 100, [{"CPU": 64.0}, {"CPU": 2.0, "GPU": 1.0}], Share(4, 0.0)),
        (8, 1, 1, GPUS, Share(8, 1.0)),
        (2, 0, 5, ONE, Share(2, 0.0)),
    ],
)
def test_share(cpus, gpus, trials, nodes, expected):
    assert share(cpus, gpus, trials, nodes) == expected
    assert expected.device == ("cuda" if expected.gpus else "cpu")


@pytest.mark.parametrize(
    ("cpus", "gpus", "nodes", "message"),
    [
        (4, "auto", ONE, "`resources.cpus`: 4 per trial are asked for, but this machine has 2 CPUs and 0 GPUs; lower it"),
        (1, 0.5, ONE, "`resources.gpus`: 0.5 per trial are asked for, but this machine has 2 CPUs and 0 GPUs; set `gpus: auto`"),
        (1, 1.5, GPUS, "a part of one GPU or whole GPUs are required, got 1.5"),
        (4, "auto", ONE * 2, "the nodes have 2 CPUs and 0 GPUs; 2 CPUs and 0 GPUs"),
        (2, 1, [{"CPU": 1.0, "GPU": 1.0}, {"CPU": 2.0}], "the nodes have"),
    ],
)
def test_what_no_node_has_is_refused(cpus, gpus, nodes, message):
    with pytest.raises(ResourceError, match=message.replace("`", ".")):
        share(cpus, gpus, 1, nodes)


def test_a_cluster_that_does_not_answer_is_refused():
    code = "from studyhub.runner import workers\nwith workers.cluster(): pass"
    environment = os.environ | {"RAY_ADDRESS": "127.0.0.1:1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert "no Ray cluster answers at RAY_ADDRESS=127.0.0.1:1" in done.stderr.splitlines()[-1]
