"""Real Ray, toy trials. Their functions are local ones: Ray then sends their code to the workers, which cannot import this file."""

import io
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest
from ray._private import worker as ray_worker
from rich.console import Console
from test_schedule import FakeSearch, FakeStudy

from studyhub.errors import StoreError
from studyhub.runner.pace import Row
from studyhub.runner.progress import Progress
from studyhub.runner.schedule import KILLED, Schedule
from studyhub.runner.show import Show
from studyhub.runner.workers import tune
from studyhub.runner.workers.cluster import cluster
from studyhub.runner.workers.share import Node, Shares
from studyhub.study.cells import Cell
from studyhub.study.plan import Plan
from studyhub.study.process import machine_cpus
from studyhub.study.settings import Model, Period, Split, Training, Trial
from studyhub.study.shape import Resources
from studyhub.study.store import Store
from studyhub.study.tasks import Task

SPLIT = Split(Period(date(2000, 1, 1), date(2001, 12, 31)), Period(date(2003, 1, 1), date(2004, 12, 31)))
ONE_CPU = Resources(cpus=1, gpus=0)

DRIVER = """
    import sys, time
    from pathlib import Path
    from types import SimpleNamespace
    from studyhub.runner.workers.cluster import cluster
    sys.path.insert(0, {tests!r})
    import test_workers as t

    def toy(trial, shards, folder, *, cpus, device, on_epoch, **_):
        (shards / f"began-{{trial.seed}}-{{time.time_ns()}}").touch()
        for number in range(1, 21):
            time.sleep({pause} if trial.seed > 1 else 0.01)
            if on_epoch(SimpleNamespace(number=number, of=20, loss=0.5, validation=None, seconds=0.1)):
                return SimpleNamespace(state="stopped", result={{}})
        return SimpleNamespace(state="finished", result={{"cause": None}})

    home = Path({home!r})
    with cluster() as there:
        stopped, _ = t.run(home, t.trials(4), toy, sys.stdout, there.nodes)
    assert "mlflow" not in sys.modules, "seconds are lost before the first trial"
    sys.exit(130 if stopped else 0)
"""


def trials(n: int) -> dict[str, Trial]:
    model, training = Model("lstm", ("prcp",), ()), Training(epochs=2)
    return {f"{seed:016x}": Trial(model, training, SPLIT, ("1",), ("1",), seed, "data") for seed in range(n)}


def plan_of(some: dict[str, Trial]) -> Plan:
    return Plan(tuple(Cell("toy", 1, trial.seed, name, trial.parent) for name, trial in some.items()), some)


def row(task: Task) -> Row:
    return Row(task.name, "toy", "all", task.trial.seed, number=int(task.name[:8], 16) or None)


def run(home: Path, some: dict[str, Trial], runner, file=None, nodes: Iterable[Node] = (), **searched) -> tuple[bool, str]:
    """Run trials; return whether that was stopped, and what was said."""
    show = Show(Console(file=file or io.StringIO(), width=200))
    schedule, shares = Schedule(plan_of(some), Store(home), **searched), Shares(ONE_CPU, list(nodes) or [Node("here", machine_cpus())], 9)
    with Progress([row(Task(name, trial)) for name, trial in some.items()], show) as progress:
        stopped = tune.run(schedule, home=home, shards=home, shares=shares, progress=progress, row=row, runner=runner)
    return stopped, "" if file else show.console.file.getvalue()


@pytest.fixture(scope="module")
def there():
    with cluster() as there:
        yield there


def test_ray_starts_what_trials_need_and_no_more(there):
    started = set(ray_worker._global_node.all_processes)
    assert {"raylet", "gcs_server"} <= started
    assert not {"monitor", "log_monitor", "dashboard"} & started, "each takes a second of every launch"


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
@pytest.mark.timeout(900)
def test_a_study_that_was_killed_stopped_and_run_again_is_finished_once(tmp_path, there):
    store, names = Store(tmp_path), list(trials(4))

    # kill -9 after the two quick trials have ended, amid the two slow ones.
    killed = driver(tmp_path, pause=60.0)
    wait_for(lambda: sum(begun(tmp_path).values()) == 4, 200)
    killed.kill()
    killed.communicate()
    assert [store.state(name) for name in names[:2]] == ["finished", "finished"]

    # Ctrl-C, as a terminal sends it: to all processes of the group.
    stopped = driver(tmp_path, pause=0.5)
    wait_for(lambda: sum(begun(tmp_path).values()) == 6, 200)
    os.killpg(stopped.pid, signal.SIGINT)
    out, err = stopped.communicate(timeout=120)
    assert (stopped.returncode, err) == (130, "")
    assert "stopping: running trials end their epoch" in out
    assert [store.state(name) for name in names] == ["finished", "finished", "stopped", "stopped"]
    assert not (tmp_path / "store" / "stops").exists()

    # A batch system's SIGTERM, and once more: to the driver alone, amid an epoch of a minute.
    ended = driver(tmp_path, pause=60.0)
    wait_for(lambda: sum(begun(tmp_path).values()) == 8, 200)
    ended.send_signal(signal.SIGTERM)
    time.sleep(1.0)
    assert ended.poll() is None
    ended.send_signal(signal.SIGTERM)
    _, err = ended.communicate(timeout=60)
    assert err.splitlines()[-1] == "KeyboardInterrupt", "as the command line ends on Ctrl-C"
    wait_for(lambda: [store.state(name) for name in names[2:]] == ["stopped", "stopped"], 10)

    def quick(trial, shards, folder, *, cpus, device, on_epoch, **_):
        from types import SimpleNamespace

        (shards / f"began-{trial.seed}-again").touch()
        return SimpleNamespace(state="finished", result={"cause": None})

    assert run(tmp_path, trials(4), quick)[0] is False
    assert [store.state(name) for name in names] == ["finished"] * 4
    assert begun(tmp_path) == {0: 1, 1: 1, 2: 4, 3: 4}, "what was finished ran again, or what was not did not"


def test_failing_and_dying_trials_stop_no_other(tmp_path, there, capfd):
    def runner(trial, shards, folder, *, cpus, device, on_epoch, **_):
        import os
        from types import SimpleNamespace

        if trial.seed == 0:
            raise ValueError("no good")
        if trial.seed == 1:
            (shards / f"began-1-{os.getpid()}").touch()
            os._exit(7)
        on_epoch(SimpleNamespace(number=1, of=1, loss=float("nan"), validation=None, seconds=0.1))
        state = "finished" if trial.seed > 2 else "diverged"
        cause = {"basin": "7", "store": "SM", "day": "2003-05-01"} if state == "diverged" else None
        return SimpleNamespace(state=state, result={"cause": cause})

    stopped, out = run(tmp_path, trials(6), runner)
    store = Store(tmp_path)
    assert not stopped
    assert [store.state(name) for name in trials(6)] == ["failed", "failed", "diverged", "finished", "finished", "finished"]
    assert "seed 0: failed after" in out and "ValueError: no good" in out
    assert "seed 1: its worker process was killed, perhaps for want of memory: tried again alone" in out
    assert begun(tmp_path) == {1: 2}
    assert "worker process was killed" in store.failure(f"{1:016x}")["cause"] and store.failure(f"{1:016x}")["kind"] == "worker"
    assert "basin 7, store SM, day 2003-05-01" in out
    assert len(out.splitlines()) == 7
    assert capfd.readouterr() == ("", "")


def test_a_worker_that_takes_its_time_to_die_has_failed_all_the_same(tmp_path):
    """Ray hears of a death by a connection that closes, which is before the process is gone."""
    some, store = trials(1), Store(tmp_path)
    (name,) = some
    code = "import sys, time; from pathlib import Path; from studyhub.study.store import Store; Store(Path(sys.argv[1])).claim(sys.argv[2])"
    command = [sys.executable, "-c", f"{code}; print(flush=True); time.sleep(1)", str(tmp_path), name]
    schedule, shares = Schedule(plan_of(some), store), Shares(ONE_CPU, [Node("here", 1)], 9)
    with Progress([row(Task(name, some[name]))], Show(Console(file=io.StringIO()))) as progress:
        about = tune._Run(schedule, shares, progress, row, store, SimpleNamespace(asked=False))
        assert schedule.next() is not None
        about.died(name, KILLED, "its worker process was killed")
        assert schedule.next() is not None, "it is tried again alone"
        with subprocess.Popen(command, stdout=subprocess.PIPE) as worker:
            assert worker.stdout is not None
            worker.stdout.readline()
            assert store.state(name) == "running"
            about.died(name, KILLED, "its worker process was killed")
            assert store.state(name) == "failed" and store.failure(name)["kind"] == "worker"


def test_a_worker_gets_what_its_share_says_and_starts_clean(tmp_path, there):
    def runner(trial, shards, folder, *, cpus, device, on_epoch, **_):
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


def test_a_child_begins_when_its_parent_has_ended_and_workers_are_used_again(tmp_path, there):
    """One long trial and forty short ones in chains of four: no waves, and workers that are used again."""

    def runner(trial, shards, folder, *, on_epoch, **_):
        import os
        import time
        from types import SimpleNamespace

        began = time.time()
        time.sleep(8.0 if trial.seed == 99 else 0.05)
        return SimpleNamespace(state="finished", result={"cause": None, "began": began, "ended": time.time(), "process": os.getpid()})

    some = {f"{99:016x}": replace(next(iter(trials(1).values())), seed=99)}
    for chain in range(10):
        for link in range(4):
            name, parent = f"{chain:08x}{link:08x}", f"{chain:08x}{link - 1:08x}" if link else None
            some[name] = replace(next(iter(trials(1).values())), seed=100 + chain, parent=parent)
    run(tmp_path, some, runner)
    found = {name: Store(tmp_path).result(name) for name in some}
    for name, trial in some.items():
        assert trial.parent is None or found[trial.parent]["ended"] <= found[name]["began"]
    long = found.pop(f"{99:016x}")
    beside = [name for name, result in found.items() if result["ended"] < long["ended"] and some[name].parent is not None]
    assert beside, "children waited for a trial that is none of their parents"
    assert len({result["process"] for result in found.values()}) <= machine_cpus() + 1


def test_what_a_search_chooses_is_run_by_the_same_workers(tmp_path, there):
    """While the second batch of the search is not known yet, workers have nothing to do; that ends nothing, and nobody waits for ever."""

    def runner(trial, shards, folder, **_):
        import time
        from types import SimpleNamespace

        time.sleep(0.2)
        return SimpleNamespace(state="finished", result={"cause": None, "ended": time.time()})

    search, study = FakeSearch("9", 20), FakeStudy()
    stopped, out = run(tmp_path, {}, runner, searches=[search], study=study)
    assert not stopped and len(search.heard) == 4 and study.records == 4
    ends = {path.name: Store(tmp_path).result(path.name)["ended"] for path in (tmp_path / "store" / "trials").iterdir()}
    chosen = [f"{arm:08x}{1:08x}" for arm in (1, 9, 10)]
    assert set(ends) == {*search.names, *chosen}
    assert max(ends[name] for name in search.names) < min(ends[name] for name in chosen) and ends[chosen[1]] < ends[chosen[2]]
    assert out.count("finished after") == 7


def test_a_full_disk_ends_the_study_with_one_message(tmp_path, there):
    def runner(trial, shards, folder, *, on_epoch, **_):
        import errno
        import time
        from types import SimpleNamespace

        (shards / f"began-{trial.seed}-0").touch()
        if trial.seed == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        for number in range(1, 200):
            time.sleep(0.1)
            if on_epoch(SimpleNamespace(number=number, of=200, loss=0.5, validation=None, seconds=0.1)):
                break
        return SimpleNamespace(state="stopped", result={})

    with pytest.raises(StoreError, match="the disk is full .* make room there") as raised:
        run(tmp_path, trials(6), runner)
    assert "\n" not in str(raised.value)
    assert len(begun(tmp_path)) < 6, "trials were begun that nothing could be written of"


def test_ray_has_the_processors_of_this_process_and_hides_its_token(there):
    assert [node.cpus for node in there.nodes] == [machine_cpus()] and not there.joined
    token = Path.home() / ".ray" / "auth_token"
    assert token.stat().st_mode & 0o077 == 0


def test_a_cluster_that_does_not_answer_is_refused():
    code = "from studyhub.runner.workers.cluster import cluster\nwith cluster({address}): pass"
    for address, outside in (("", "127.0.0.1:1"), ("'127.0.0.1:1'", "")):
        environment = os.environ | {"RAY_ADDRESS": outside}
        done = subprocess.run([sys.executable, "-c", code.format(address=address)], env=environment, capture_output=True, text=True)
        assert "no Ray cluster answers at 127.0.0.1:1" in done.stderr.splitlines()[-1]
