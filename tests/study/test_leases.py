import errno
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from studyhub.study import leases
from studyhub.study.leases import STALE_AFTER, take
from studyhub.study.process import Process, machine
from studyhub.study.store import Store

TRIAL = "0123456789abcdef"

# Two of these start at the same moment (when the file `go` appears) and claim every trial: no trial may get two holders.
RACER = """
import sys, time
from pathlib import Path
from studyhub.study.store import Store
home, trials = Path(sys.argv[1]), sys.argv[2:]
store = Store(home)
print("ready", flush=True)
while not (home / "go").exists():
    pass
won = [(trial, lease.attempt) for trial in trials if (lease := store.claim(trial)) is not None]
print(*(f"{trial}:{attempt}" for trial, attempt in won), flush=True)
sys.stdin.read()
"""

HOLDER = """
import sys
from studyhub.study.store import Store
lease = Store(sys.argv[1]).claim(sys.argv[2])
(lease.folder / "epoch-1.json").write_text("{}")
print(lease.attempt, flush=True)
sys.stdin.read()
"""

# Runs what nobody else runs until all is done. Two that are at one trial at the same time are noticed by the lock on its file.
LAUNCHER = """
import fcntl, random, sys, time
from pathlib import Path
from studyhub.study.store import Store
home, trials = Path(sys.argv[1]), sys.argv[2:]
store = Store(home)
random.shuffle(trials)
while left := [trial for trial in trials if store.result(trial) is None]:
    for trial in left:
        lease = store.claim(trial)
        if lease is None:
            continue
        with lease.beating(), open(home / "at_work" / trial, "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                (home / "clashes" / f"{trial}:{lease.attempt}").touch()
            time.sleep(random.uniform(0.02, 0.08))
            if random.random() < 0.1:
                lease.fail({"cause": "chance"})
            elif random.random() < 0.1:
                lease.release()
            elif lease.finish({"state": "finished", "by": lease.attempt}):
                (home / "completed" / f"{trial}:{lease.attempt}").touch()
"""


def start(program: str, *arguments: object) -> subprocess.Popen:
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def line(process: subprocess.Popen) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def end(*processes: subprocess.Popen) -> None:
    for process in processes:
        process.kill()
        process.communicate()


def age(folder: Path, number: int, seconds: float) -> None:
    """Let a lease's last heartbeat be long ago."""
    path = folder / f"lease-{number:03}.json"
    os.utime(path, (path.stat().st_atime, path.stat().st_mtime - seconds))


def elsewhere(folder: Path, number: int) -> None:
    """Let another machine have written the lease."""
    path = folder / f"lease-{number:03}.json"
    path.write_text(json.dumps({"machine": "elsewhere", "pid": 1, "started": "1"}))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


@pytest.fixture
def dead_holder(store: Store) -> Path:
    """A trial whose holder was killed with -9."""
    process = start(HOLDER, store.home, TRIAL)
    assert line(process) == "attempt-001"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    return store.trial_folder(TRIAL)


def test_a_trial_has_one_holder(store):
    lease = store.claim(TRIAL)
    assert (lease.attempt, lease.folder.is_dir()) == ("attempt-001", True)
    assert store.claim(TRIAL) is None
    assert lease.heartbeat()


@pytest.mark.parametrize("stale", [False, True])
def test_two_processes_that_claim_at_once_never_get_the_same_trial(store, stale):
    trials = [f"{number:016x}" for number in range(60)]
    if stale:
        for trial in trials:
            elsewhere(store.claim(trial).trial_folder, 1)
            age(store.trial_folder(trial), 1, 2 * STALE_AFTER)
    racers = [start(RACER, store.home, *trials) for _ in range(2)]
    assert [line(racer) for racer in racers] == ["ready", "ready"]
    (store.home / "go").touch()
    won = [[claim.split(":") for claim in line(racer).split()] for racer in racers]
    end(*racers)
    holders = sorted(trial for claims in won for trial, _ in claims)
    assert holders == trials
    assert {attempt for claims in won for _, attempt in claims} == {"attempt-002" if stale else "attempt-001"}


def test_launches_that_are_killed_at_random_end_each_trial_once(store):
    trials, dice = [f"{number:016x}" for number in range(40)], random.Random(1)
    for name in ("at_work", "clashes", "completed"):
        (store.home / name).mkdir()
    running = [start(LAUNCHER, store.home, *trials) for _ in range(4)]
    killed, limit = 0, time.monotonic() + 100
    while any(store.result(trial) is None for trial in trials):
        assert time.monotonic() < limit
        time.sleep(dice.uniform(0.1, 0.4))
        place = dice.randrange(4)
        killed += running[place].poll() is None
        end(running[place])
        running[place] = start(LAUNCHER, store.home, *trials)
    for process in running:
        assert process.wait(60) == 0
    end(*running)
    assert killed >= 3
    assert list((store.home / "clashes").iterdir()) == []
    completed = dict(path.name.split(":") for path in (store.home / "completed").iterdir())
    assert len(completed) == len(list((store.home / "completed").iterdir())), "none was run twice to its end"
    # A kill may come between the result and the mark.
    assert len(trials) - killed <= len(completed) <= len(trials)
    for trial in trials:
        result = store.result(trial)
        assert result["by"] == result["attempt"] == completed.get(trial, result["attempt"])


def test_a_process_that_judged_too_late_takes_nothing(store, monkeypatch):
    """Both see a stale lease; while one still ponders, the other takes over, finishes its attempt and gives the trial back."""
    elsewhere(store.claim(TRIAL).trial_folder, 1)
    folder = store.trial_folder(TRIAL)
    age(folder, 1, 2 * STALE_AFTER)
    judge = leases.is_live

    def slow(where: Path, number: int) -> bool:
        live = judge(where, number)
        monkeypatch.setattr(leases, "is_live", judge)
        take(where).release()
        return live

    monkeypatch.setattr(leases, "is_live", slow)
    assert take(folder) is None
    assert leases.latest(folder) == 2


def test_the_lease_of_a_killed_process_is_free_at_once(store, dead_holder):
    assert store.state(TRIAL) == "stopped"
    lease = store.claim(TRIAL)
    assert lease.attempt == "attempt-002"
    assert (dead_holder / "attempt-001" / "epoch-1.json").exists()


def test_the_lease_of_a_living_process_is_not_free(store):
    process = start(HOLDER, store.home, TRIAL)
    assert line(process) == "attempt-001"
    assert store.claim(TRIAL) is None
    assert store.state(TRIAL) == "running"
    age(store.trial_folder(TRIAL), 1, STALE_AFTER + 1)
    assert store.state(TRIAL) == "stopped"
    assert store.claim(TRIAL).attempt == "attempt-002"
    end(process)


def test_a_dead_process_that_nobody_has_buried_is_dead(store):
    process = start(HOLDER, store.home, TRIAL)
    line(process)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and still waits to be buried
    assert store.claim(TRIAL) is not None
    end(process)


def test_a_later_process_with_the_same_number_is_another():
    this = Process.this()
    assert not this.dead()
    assert Process(this.machine, this.pid, "1").dead()
    assert not Process("elsewhere", this.pid, "1").dead()
    assert Process.of(this.record()) == this
    assert Process.of({"machine": machine(), "pid": -1, "started": ""}) is None
    assert Process.of({}) is None


def test_another_machine_is_judged_by_its_heartbeat_alone(store):
    folder = store.claim(TRIAL).trial_folder
    elsewhere(folder, 1)
    age(folder, 1, STALE_AFTER - 10)
    assert store.claim(TRIAL) is None
    age(folder, 1, 11)
    assert store.claim(TRIAL).attempt == "attempt-002"


@pytest.mark.parametrize("text", ["", '{"machine": "else', "[]", '{"machine": 3, "pid": "x", "started": null}'])
def test_a_lease_that_cannot_be_read_is_judged_by_its_age(store, text):
    folder = store.claim(TRIAL).trial_folder
    (folder / "lease-001.json").write_text(text)
    assert store.claim(TRIAL) is None
    age(folder, 1, STALE_AFTER + 1)
    assert store.claim(TRIAL) is not None


def test_heartbeats_keep_a_lease(store):
    lease = store.claim(TRIAL)
    elsewhere(lease.trial_folder, 1)
    age(lease.trial_folder, 1, STALE_AFTER + 1)
    assert lease.heartbeat()
    assert store.claim(TRIAL) is None


def test_a_lease_beats_from_a_thread_of_its_own_until_it_is_left(store):
    lease = store.claim(TRIAL)
    path = lease.trial_folder / "lease-001.json"
    before = threading.active_count()
    with lease.beating(every=0.02):
        age(lease.trial_folder, 1, 1000)
        limit = time.monotonic() + 10
        while time.time() - path.stat().st_mtime > 100 and time.monotonic() < limit:
            time.sleep(0.01)
        assert time.time() - path.stat().st_mtime < 100
    assert threading.active_count() == before


def test_who_was_silent_for_too_long_has_lost_the_trial(store):
    lease = store.claim(TRIAL)
    age(lease.trial_folder, 1, STALE_AFTER + 1)
    second = store.claim(TRIAL)
    assert not lease.heartbeat()
    assert not lease.finish({"state": "finished", "by": "the first"})
    assert store.result(TRIAL) is None
    assert second.finish({"state": "finished", "by": "the second"})
    assert store.result(TRIAL) == {"state": "finished", "by": "the second", "attempt": "attempt-002"}


def test_of_two_that_both_believe_to_hold_a_trial_the_first_to_finish_has_it(store, monkeypatch):
    """A process that is frozen after its last look at the lease, while another takes over and finishes."""
    lease = store.claim(TRIAL)
    look, woken = leases.Lease.held, []

    def frozen(self: leases.Lease) -> bool:
        held = look(self)
        if self.number == 1 and not woken:
            woken.append(self)
            age(lease.trial_folder, 1, STALE_AFTER + 1)
            assert store.claim(TRIAL).finish({"state": "finished", "by": "the second"})
        return held

    monkeypatch.setattr(leases.Lease, "held", frozen)
    assert not lease.finish({"state": "finished", "by": "the first"})
    assert store.result(TRIAL)["by"] == "the second"
    assert not lease.held()


def test_who_runs_a_trial_that_another_has_ended_is_told(store):
    lease = store.claim(TRIAL)
    age(lease.trial_folder, 1, STALE_AFTER + 1)
    second = store.claim(TRIAL)
    (lease.trial_folder / "result.json").write_text('{"state": "finished", "attempt": "attempt-001"}')
    assert not second.heartbeat()
    assert not second.finish({"state": "finished"})
    assert store.result(TRIAL)["attempt"] == "attempt-001"


def test_a_damaged_result_that_another_makes_whole_meanwhile_stays(store, monkeypatch):
    lease = store.claim(TRIAL)
    path = lease.trial_folder / "result.json"
    path.write_text("{")
    rename = os.rename

    def late(source: Path, target: Path) -> None:
        path.write_text('{"state": "finished", "attempt": "attempt-001", "by": "another"}')
        rename(source, target)

    monkeypatch.setattr(os, "rename", late)
    assert not lease.finish({"state": "finished"})
    assert store.result(TRIAL)["by"] == "another"


@pytest.mark.parametrize("code", [errno.EPERM, errno.EOPNOTSUPP])
def test_filesystems_without_hard_links_serve_too(store, monkeypatch, code):
    def refuse(source: Path, target: Path) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", refuse)
    lease = store.claim(TRIAL)
    assert lease.finish({"state": "finished", "by": "the first"})
    assert not lease.finish({"state": "finished", "by": "late"})
    assert store.result(TRIAL)["by"] == "the first"
    assert sorted(path.name for path in lease.trial_folder.iterdir()) == ["attempt-001", "lease-001.json", "result.json"]


def test_an_answer_that_the_network_loses_is_no_refusal(store, monkeypatch):
    link = os.link

    def repeated(source: Path, target: Path) -> None:
        link(source, target)
        link(source, target)

    monkeypatch.setattr(os, "link", repeated)
    assert store.claim(TRIAL).finish({"state": "finished"})


def test_a_lease_says_who_when_and_on_what(store):
    lease = store.claim(TRIAL, device="cuda:1")
    record, beat = leases.read_lease(lease.trial_folder, 1)
    assert (record["device"], record["pid"]) == ("cuda:1", os.getpid())
    assert abs(beat - time.time()) < 60 and record["begun"].endswith("Z")
    assert leases.read_lease(lease.trial_folder, 2) is None


def test_a_filesystem_that_is_away_for_a_moment_ends_no_heartbeat(store, monkeypatch):
    lease = store.claim(TRIAL)

    def away(path: Path) -> None:
        raise OSError(errno.EIO, "away")

    with monkeypatch.context() as patch:
        patch.setattr(os, "utime", away)
        assert lease.heartbeat()
    assert lease.heartbeat()


def test_a_lease_whose_folder_was_removed_is_lost(store):
    lease = store.claim(TRIAL)
    (lease.trial_folder / "lease-001.json").unlink()
    assert not lease.heartbeat()


def test_clocks_of_machines_do_not_matter(store, monkeypatch):
    folder = store.claim(TRIAL).trial_folder
    elsewhere(folder, 1)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert store.claim(TRIAL) is None
    age(folder, 1, STALE_AFTER + 1)
    assert store.claim(TRIAL) is not None
    assert not [path for path in folder.iterdir() if path.name.startswith(".")], "no probe stays behind"
