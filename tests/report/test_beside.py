"""The process that draws beside another one: who does what, and what becomes of it when something dies."""

import os
import signal
import subprocess
import sys
import time

import pytest

from studyhub.report import beside
from studyhub.report.beside import Later, all_of, helped
from studyhub.report.render import report


@pytest.fixture(autouse=True)
def two(monkeypatch):
    monkeypatch.setattr(beside, "machine_cpus", lambda: 2)


def who(seconds: float = 0.0) -> int:
    time.sleep(seconds)
    return os.getpid()


def alive(process: int) -> bool:
    """Whether it runs; one that has ended and that nobody has asked about counts as ended."""
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def dies_in(others: int) -> int:
    if os.getpid() != others:
        os._exit(1)
    return os.getpid()


def refuses(what: str) -> None:
    raise ValueError(f"cannot draw {what}")


def test_without_a_helper_it_is_worked_out_once_and_here():
    asked = []
    later = Later(asked.append, 1)
    assert not asked
    assert later.get() is None and later.get() is None and asked == [1]


def test_one_processor_has_no_helper(monkeypatch):
    monkeypatch.setattr(beside, "machine_cpus", lambda: 1)
    with helped():
        assert Later(who).get() == os.getpid()


def test_the_helper_does_what_comes_first_and_we_what_is_left():
    with helped():
        later = [Later(who), Later(who, 0.5), *(Later(who) for _ in range(3))]
        while not later[0]._found.done():  # it has begun
            time.sleep(0.01)
        found = all_of(later)
    here = [process == os.getpid() for process in found]
    assert not here[0] and here[-1]
    assert here == sorted(here)
    assert not alive(found[0])


def test_it_hears_no_ctrl_c():
    with helped():
        later = Later(who)
        while not later._found.done():
            time.sleep(0.01)
        assert os.getsid(later.get()) != os.getsid(0)


def test_what_a_dead_helper_leaves_is_done_here(capfd):
    with helped():
        later = [Later(dies_in, os.getpid()), Later(who), Later(who)]
        assert [one.get() for one in later] == [os.getpid()] * 3
    assert capfd.readouterr() == ("", "")


def test_what_fails_is_told_in_its_own_words_by_us_alone(capfd):
    with helped():
        first, second = Later(refuses, "a map"), Later(who)
        while not first._found.done():
            time.sleep(0.01)
        with pytest.raises(ValueError, match="cannot draw a map"):
            first.get()
        assert second.get() == os.getpid()
    assert capfd.readouterr() == ("", "")


def test_it_ends_with_whoever_began_it():
    code = "import sys; sys.path[:] = sys.argv[1:]; from report.test_beside import ask_and_wait; ask_and_wait()"
    with subprocess.Popen([sys.executable, "-c", code, *sys.path], stdout=subprocess.PIPE, text=True) as asking:
        helper = int(asking.stdout.readline())
        assert alive(helper)
        os.kill(asking.pid, signal.SIGKILL)
    begun = time.monotonic()
    while alive(helper):
        assert time.monotonic() - begun < 30
        time.sleep(0.05)


def ask_and_wait() -> None:
    beside.machine_cpus = lambda: 2
    with helped():
        later = Later(who)
        while not later._found.done():
            time.sleep(0.01)
        print(later.get(), flush=True)
        time.sleep(600)


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_report_is_the_same_whoever_draws(toy, tmp_path, monkeypatch):
    drawn = []
    exchange = beside._Helper._exchange
    monkeypatch.setattr(beside._Helper, "_exchange", lambda helper, work: drawn.append(work.func.__name__) or exchange(helper, work))
    toy.write().end()
    alone = files(report(toy.store, "toy", tmp_path / "alone").parent)
    assert not drawn
    monkeypatch.setattr(Later, "take", lambda later: None)  # all of it by the helper
    with helped():
        together = files(report(toy.store, "toy", tmp_path / "together").parent)
    assert {"ecdf", "boxes", "hydrograph", "learning_curves"} <= set(drawn)
    assert together == alone and len(alone) > 10
