"""Homes in a real S3 server: what one machine makes is there for all others, and nothing is lost on the way."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import boto3
import pytest
from servers import Proxy, s3

from studyhub.errors import StoreError
from studyhub.object_store import file_system
from studyhub.study import remote
from studyhub.study.cells import Cell
from studyhub.study.launches import launches
from studyhub.study.process import Process
from studyhub.study.remote import at_work, copies, fetching, sole_launch
from studyhub.study.remote import launch as remote_launch
from studyhub.study.remote.copies import copy_of
from studyhub.study.store import Store

TRIALS = tuple(f"{number:016x}" for number in range(1, 6))
CELLS = [Cell("small", 1, seed, trial) for seed, trial in enumerate(TRIALS[:3], 1)] + [Cell("large", 1, 1, TRIALS[3], parent=TRIALS[0])]
FILES = {"scores.parquet": b"s" * 100, "simulation.parquet": b"q" * 3000, "weights.npz": b"w" * 50, "log.txt": b"done\n"}


@pytest.fixture(scope="module")
def bucket():
    with pytest.MonkeyPatch.context() as patch, s3(patch) as uri:
        yield uri


@pytest.fixture(autouse=True)
def this_server(bucket):
    """No test goes on with the server of another."""
    file_system.cache_clear()


@pytest.fixture
def home(bucket, request):
    return f"{bucket}/{request.node.name.translate(str.maketrans('[]', '--'))}/home"


@pytest.fixture
def machine(home, tmp_path, monkeypatch):
    """Turn to a machine: the copy of the home there."""

    def turn(name="one", **options) -> Path:
        monkeypatch.setenv("STUDYHUB_CACHE", str(tmp_path / name))
        return remote.locate(home, **options)

    return turn


def objects(home):
    place, _, prefix = home.removeprefix("s3://").partition("/")
    found = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"]).list_objects_v2(Bucket=place, Prefix=f"{prefix}/")
    # pyarrow leaves empty objects in place of folders.
    return {item["Key"].removeprefix(f"{prefix}/"): item["Size"] for item in found.get("Contents", ()) if not item["Key"].endswith("/")}


def put(home, name, content):
    place, _, prefix = home.removeprefix("s3://").partition("/")
    boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"]).put_object(Bucket=place, Key=f"{prefix}/{name}", Body=content)


def begin(path, trial, epochs=2):
    lease = Store(path).claim(trial, "cpu")
    assert lease is not None
    (lease.folder / "epochs").mkdir()
    for number in range(1, epochs + 1):
        (lease.folder / "epochs" / f"{number:04}.json").write_text(json.dumps({"number": number, "loss": 1 / number}))
    (lease.folder / "checkpoint.npz").write_bytes(b"c" * 70)
    return lease


def finish(lease, **result):
    for name, content in FILES.items():
        (lease.folder / name).write_bytes(content)
    (lease.folder / "checkpoint.npz").unlink()
    assert lease.finish({"state": "finished", "seconds": 2.0, "kind": "f" * 16} | result)


def run(home, trial, **result):
    with remote.working(home, trial) as path:
        finish(begin(path, trial), **result)
    return path


def kill(lease):
    """Let the process that holds a lease be another, which is dead."""
    path = lease.trial_folder / f"lease-{lease.number:03}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"started": "0"}))


def write_study(path, name="study", cells=CELLS):
    Store(path).write_study(name, "question: why?\n", cells)


def files(path, trial):
    attempt = Store(path).latest_attempt(trial)
    return {file.relative_to(attempt).as_posix(): file.read_bytes() for file in attempt.rglob("*") if file.is_file()}


def test_a_folder_is_a_folder(tmp_path):
    assert remote.locate(tmp_path) == tmp_path and remote.origin(tmp_path) == str(tmp_path)
    assert remote.reports(tmp_path) == tmp_path / "reports"
    with remote.working(tmp_path, TRIALS[0]) as path, remote.launching(tmp_path, "study", pytest.fail, pytest.fail):
        assert path == tmp_path
    remote.pull(tmp_path, "study")
    remote.push(tmp_path, "study")
    assert list(tmp_path.iterdir()) == []


def test_a_uri_is_a_copy_of_this_machine(home, machine):
    path = machine()
    assert path.is_dir() and path.stat().st_mode & 0o077 == 0 or path.parent.stat().st_mode & 0o077 == 0
    assert remote.locate(f"{home}/") == remote.locate(Path(home)) == path
    assert remote.origin(path) == home and remote.reports(path) == Path("reports")
    assert machine("two") != path and copy_of(machine("two")).token != copy_of(path).token


def test_what_a_worker_makes_is_there_for_all(home, machine):
    path = machine()
    before = run(home, TRIALS[0])
    assert before == path and Store(path).state(TRIALS[0]) == "finished"
    token = copy_of(path).token
    there = objects(home)
    attempt = f"store/trials/{TRIALS[0]}/attempt-001{token}"
    assert there.keys() == {f"store/trials/{TRIALS[0]}/{name}" for name in ("result.json", f"lease-001{token}.json")} | {
        f"{attempt}/{name}" for name in (*FILES, "epochs.json")
    }
    other = machine("two")
    remote.pull_trials(other, TRIALS, want=remote.ALL)
    assert Store(other).state(TRIALS[0]) == "finished" and Store(other).state(TRIALS[1]) == "pending"
    assert files(other, TRIALS[0]) == files(path, TRIALS[0])
    assert Store(other).result(TRIALS[0]) == Store(path).result(TRIALS[0])
    assert (other / "store" / "kinds" / f"{'f' * 16}.jsonl").exists()  # what it cost is known here too


def test_only_what_is_wanted_comes(home, machine):
    write_study(machine())
    with remote.launching(machine(), "study", str, str):
        for trial in TRIALS[:4]:
            run(home, trial)
    simulated = dict.fromkeys((TRIALS[0], TRIALS[3]), remote.REPORT)
    for want, expected in {
        remote.STATE: set(),
        remote.PROGRESS: {"log.txt", "scores.parquet", "epochs/0001.json", "epochs/0002.json"},
        remote.ALL: {*FILES, "epochs/0001.json", "epochs/0002.json"},
        remote.REPORT: {"log.txt", "scores.parquet", "epochs/0001.json", "epochs/0002.json"},
    }.items():
        path = machine(want)
        remote.pull(path, "study", want=want)
        for trial in TRIALS[:4]:
            more = {"simulation.parquet"} if simulated.get(trial) == want else set()
            assert files(path, trial).keys() == expected | more, (want, trial)
    remote.pull(machine(remote.STATE), "study", want=remote.ALL)  # and more of it later
    assert files(machine(remote.STATE), TRIALS[1]).keys() == {*FILES, "epochs/0001.json", "epochs/0002.json"}


def test_nothing_is_asked_for_twice(home, machine, monkeypatch):
    run(home, TRIALS[0])
    path = machine("two")
    remote.pull_trials(path, TRIALS[:1])
    monkeypatch.setattr("studyhub.object_store.RemoteFolder.walk", lambda *_: pytest.fail("asked again"))
    remote.pull_trials(path, TRIALS[:1])


@pytest.mark.parametrize("few", [0, 64])
def test_many_trials_are_one_listing(home, machine, monkeypatch, few):
    for trial in TRIALS[:3]:
        run(home, trial)
    monkeypatch.setattr(fetching, "FEW", few)
    path = machine("two")
    remote.pull_trials(path, TRIALS)
    assert [Store(path).state(trial) for trial in TRIALS] == ["finished"] * 3 + ["pending"] * 2


def test_killed_here_and_gone_on_with_elsewhere(home, machine, monkeypatch):
    monkeypatch.setattr(at_work, "FILES_EVERY", 0.0)
    path = machine()
    with remote.working(home, TRIALS[0]):
        lease = begin(path, TRIALS[0], epochs=3)
        work = at_work.AtWork(copy_of(path), TRIALS[0], None)
        work.step()
        (lease.folder / "checkpoint.npz").write_bytes(b"later")
        work.step()
        kill(lease)  # and so nothing more is sent
        put(home, f"store/trials/{TRIALS[0]}/lease-001{copy_of(path).token}.json", (lease.trial_folder / "lease-001.json").read_bytes())
    other = machine("two")
    with remote.working(home, TRIALS[0]) as found:
        assert found == other and Store(other).state(TRIALS[0]) == "stopped"
        assert files(other, TRIALS[0])["checkpoint.npz"] == b"later" and "epochs/0003.json" in files(other, TRIALS[0])
        lease = begin(other, TRIALS[0])
        assert lease.number == 2
        finish(lease)
    assert not any(name.endswith("checkpoint.npz") for name in objects(home))
    third = machine("three")
    remote.pull_trials(third, TRIALS[:1])
    assert Store(third).result(TRIALS[0])["attempt"] == "attempt-002"
    machine()
    with remote.working(home, TRIALS[0]):  # where it was killed it is known too
        assert Store(path).state(TRIALS[0]) == "finished"


def test_who_runs_elsewhere_is_seen(home, machine, monkeypatch):
    path = machine()
    with remote.working(home, TRIALS[0]):
        begin(path, TRIALS[0])
        at_work.AtWork(copy_of(path), TRIALS[0], None).step()
        other = machine("two")
        with remote.working(home, TRIALS[0]):
            assert Store(other).state(TRIALS[0]) == "running" and Store(other).claim(TRIALS[0]) is None
        old = time.time() - 100
        os.utime(other / "store" / "trials" / TRIALS[0] / "lease-001.json", (old, old))
        assert Store(other).state(TRIALS[0]) == "stopped"  # silent for too long


def test_a_failure_is_told_everywhere(home, machine):
    with remote.working(home, TRIALS[0]) as path:
        begin(path, TRIALS[0]).fail({"cause": "no memory", "kind": "memory", "traceback": []})
    other = machine("two")
    remote.pull_trials(other, TRIALS[:1])
    assert Store(other).failure(TRIALS[0])["cause"] == "no memory" and "log.txt" not in files(other, TRIALS[0])


def test_the_first_result_stands(home, machine):
    machine()
    with remote.working(home, TRIALS[0]) as path:
        lease = begin(path, TRIALS[0])
        machine("two")
        run(home, TRIALS[0], seconds=7.0)  # it was never seen there that the trial runs here
        machine()
        finish(lease, seconds=9.0)
    assert Store(path).result(TRIALS[0])["seconds"] == 7.0
    remote.pull_trials(machine("three"), TRIALS[:1])
    assert Store(machine("three")).result(TRIALS[0])["seconds"] == 7.0


def test_parents_come_with_their_weights(home, machine):
    run(home, TRIALS[0])
    other = machine("two")
    with remote.working(home, TRIALS[3], parent=TRIALS[0]):
        assert files(other, TRIALS[0]).keys() >= {"weights.npz", "scores.parquet"}
        assert "simulation.parquet" not in files(other, TRIALS[0])


def test_a_study_is_the_same_on_all_machines(home, machine):
    path = machine()
    write_study(path)
    told = []
    with remote.launching(path, "study", told.append, told.append):
        (path / "studies" / "study" / "searches.json").write_text(json.dumps([{"trials": [{"trial": TRIALS[4]}]}]))
        for trial in (TRIALS[0], TRIALS[4]):
            run(home, trial)
        other = machine("two")
        machine()
    assert any(home in line and str(path) in line for line in told) and any("MLFLOW_TRACKING_URI" in line for line in told)
    remote.pull(other, "study")
    store = Store(other)
    assert store.read_study("study") == Store(path).read_study("study") and store.searches("study")
    assert [store.state(trial) for trial in TRIALS] == ["finished", "pending", "pending", "pending", "finished"]
    assert store.studies() == ("study",) and "store/format.json" in objects(home)
    remote.pull(machine("three"))
    assert Store(machine("three")).state(TRIALS[0]) == "finished"


def test_one_launch_at_a_time(home, machine):
    path = machine()
    write_study(path)
    with remote.launching(path, "study", str, str):
        other = machine("two")
        with pytest.raises(
            StoreError, match=rf"{home}: study is being launched already \(.*process {os.getpid()}, since 20.*again in \d+ s"
        ):
            with remote.launching(other, "study", str, str):
                pass
        with remote.launching(other, "another", str, str):  # of another study
            pass
        remote.pull(other)
        (found,) = launches(other / "studies" / "study")
        assert found.pid == os.getpid() and found.host == socket.gethostname()
    with remote.launching(other, "study", str, str):
        pass
    remote.pull(path)
    assert launches(path / "studies" / "study") == () and not any("/launches/" in name for name in objects(home))


def test_of_launches_at_once_at_most_one_runs(home, machine):
    write_study(machine())
    copy, inside, most, lost = copy_of(machine()), [], [], []
    begin = threading.Barrier(4)

    def launch(number):
        turn = sole_launch.SoleLaunch(replace(copy, token=f"{number:06}"), "study")
        begin.wait()
        try:
            turn.take()
        except StoreError:
            lost.append(number)
            return
        inside.append(number)
        most.append(len(inside))
        time.sleep(1.0)
        inside.remove(number)
        turn.give_back()

    threads = [threading.Thread(target=launch, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(most) <= {1} and len(most) + len(lost) == 4


@pytest.mark.parametrize("end", ["killed", "silent"])
def test_a_dead_launch_is_no_obstacle(home, machine, monkeypatch, end):
    path = machine()
    write_study(path)
    this = Process.this()
    other = replace(this, started="0") if end == "killed" else replace(this, machine="elsewhere:1:2")
    put(home, f"studies/study/launches/elsewhere-{this.pid}-123456.json", json.dumps(other.record() | {"holds": True, "begun": "2026"}))
    if end == "silent":
        with pytest.raises(StoreError, match="elsewhere, process"), remote.launching(path, "study", str, str):
            pass
        monkeypatch.setattr(sole_launch, "STALE_AFTER", 1.0)
        time.sleep(2.5)
    with remote.launching(path, "study", str, str):
        assert len([name for name in objects(home) if "/launches/" in name]) == 1


def test_a_launch_that_was_cut_off_stops(home, machine, monkeypatch):
    path = machine()
    write_study(path)
    monkeypatch.setattr(remote_launch, "BEAT_EVERY", 0.1)
    monkeypatch.setattr(remote_launch, "STEP", 0.1)
    told = []
    with pytest.raises(KeyboardInterrupt), remote.launching(path, "study", told.append, told.append):
        turn = sole_launch.SoleLaunch(copy_of(path), "study")
        turn.give_back()  # as another does that takes over
        time.sleep(10)
    assert any("another launch has taken study over" in line for line in told)


def test_a_stop_reaches_other_machines(home, machine, monkeypatch):
    path = machine()
    write_study(path)
    monkeypatch.setattr(remote_launch, "STEP", 0.1)
    stop = path / "store" / "stops" / f"host-{os.getpid()}-0123"
    with remote.launching(path, "study", str, str):
        stop.parent.mkdir(parents=True)
        stop.touch()
        time.sleep(1)
        machine("two")
        there = Path(os.environ["STUDYHUB_CACHE"]) / "no" / "disk" / "of" / "the" / "launch" / stop.name
        with remote.working(home, TRIALS[0], stop=there) as other:
            at_work.AtWork(copy_of(other), TRIALS[0], there).step()
            assert there.exists()
    assert not any("stops" in name for name in objects(home))


def test_what_could_not_be_sent_goes_with_the_next_launch(home, machine, monkeypatch):
    path = machine()
    write_study(path)
    with remote.launching(path, "study", str, str):
        pass
    lease = begin(path, TRIALS[1])
    finish(lease)  # its worker was killed before it could send anything
    remote.pull(path, "study")
    assert Store(path).state(TRIALS[1]) == "finished" and not any("result.json" in name for name in objects(home))
    with remote.launching(path, "study", str, str):
        pass
    other = machine("two")
    remote.pull(other, "study", want=remote.ALL)
    assert files(other, TRIALS[1]) == files(path, TRIALS[1])


def test_an_import_and_a_report_are_sent(home, machine, tmp_path):
    path = machine()
    write_study(path)
    finish(begin(path, TRIALS[0]))
    (tmp_path / "report" / "tables").mkdir(parents=True)
    for name, text in {"tables/a.csv": "a", "report.json": '{"files": ["tables/a.csv"]}', "others.txt": "no part of it"}.items():
        (tmp_path / "report" / name).write_text(text)
    remote.push(path, "study", tmp_path / "report")
    remote.push(path, "study")
    assert [name for name in objects(home) if name.startswith("reports/")] == ["reports/study/report.json", "reports/study/tables/a.csv"]
    assert {f"store/trials/{TRIALS[0]}/result.json", "studies/study/cells.json"} <= objects(home).keys()
    remote.pull(machine("two"), "study")
    assert Store(machine("two")).state(TRIALS[0]) == "finished"


def test_a_folder_that_was_put_there_as_it_was(home, machine, tmp_path):
    write_study(tmp_path / "home")
    finish(begin(tmp_path / "home", TRIALS[0]))
    for path in (tmp_path / "home").rglob("*"):
        if path.is_file():
            put(home, path.relative_to(tmp_path / "home").as_posix(), path.read_bytes())
    other = machine("two")
    remote.pull(other, "study", want=remote.ALL)
    assert files(other, TRIALS[0]) == files(tmp_path / "home", TRIALS[0])


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("result.json", b'{"state": "fini', "result.json: incomplete or damaged"),
        ("result.json", b'{"state": "finished", "attempt": "../x"}', "result.json: incomplete or damaged"),
        ("attempt-001{token}/scores.parquet", b"s" * 40, r"scores.parquet: damaged \(40 bytes, 100 were written\)"),
        ("attempt-001{token}/weights.npz", None, r"weights.npz: damaged \(missing\)"),
    ],
)
def test_what_is_damaged_is_said_and_made_again(home, machine, name, content, told):
    path = machine()
    run(home, TRIALS[0])
    name = f"store/trials/{TRIALS[0]}/{name.format(token=copy_of(path).token)}"
    if content is None:
        copy_of(path).store.remove(name)
    else:
        put(home, name, content)
    other, said = machine("two"), []
    remote.pull_trials(other, TRIALS[:1], say=said.append)
    assert Store(other).result(TRIALS[0]) is None
    (line,) = said
    assert line.startswith(home) and line.endswith("; the trial counts as not finished and will run again")
    assert re.search(told, line)
    shutil.rmtree(other / "store" / "trials")
    for lease in [name for name in objects(home) if "/lease-" in name]:
        put(home, lease, json.dumps(replace(Process.this(), started="0").record()))
    run(home, TRIALS[0], seconds=5.0)
    said.clear()
    remote.pull_trials(machine("three"), TRIALS[:1], say=said.append)
    assert said == [] and Store(machine("three")).result(TRIALS[0])["seconds"] == 5.0


def test_epochs_that_are_damaged_leave_the_result(home, machine):
    path = machine()
    run(home, TRIALS[0])
    name = f"store/trials/{TRIALS[0]}/attempt-001{copy_of(path).token}/epochs.json"
    put(home, name, b"{" * objects(home)[name])
    other, said = machine("two"), []
    remote.pull_trials(other, TRIALS[:1], want=remote.ALL, say=said.append)
    result = Store(other).result(TRIALS[0])
    assert said == [] and result["seconds"] == 2.0 and list((Store(other).latest_attempt(TRIALS[0]) / "epochs").iterdir()) == []


def test_a_study_that_is_not_there(home, machine):
    path = machine()
    write_study(path, "mine")
    with remote.launching(path, "mine", str, str):
        pass
    with pytest.raises(StoreError, match=f"there is no study 'yours' in {home}/studies; there are: mine"):
        remote.pull(machine("two"), "yours")


def test_another_kind_of_place():
    with pytest.raises(StoreError, match="http://x/y: a folder is required, or an object store by a URI that begins with s3:// or gs://"):
        remote.locate("http://x/y")


def test_a_bucket_that_is_not_there(machine):
    machine()
    with pytest.raises(StoreError, match="s3://elsewhere/home: there is no such bucket"):
        remote.locate("s3://elsewhere/home")


def test_wrong_credentials(monkeypatch, tmp_path):
    monkeypatch.setenv("STUDYHUB_CACHE", str(tmp_path))
    with s3(monkeypatch) as bucket:
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "VERYSECRET")
        monkeypatch.setattr("moto.settings.INITIAL_NO_AUTH_ACTION_COUNT", 0.0)  # it looks at credentials
        with pytest.raises(StoreError, match=f"{bucket}/home: access is denied; look at the credentials") as error:
            remote.locate(f"{bucket}/home")
    assert "VERYSECRET" not in str(error.value) and len(str(error.value).splitlines()) == 1


def test_nobody_answers(monkeypatch, tmp_path):
    monkeypatch.setenv("STUDYHUB_CACHE", str(tmp_path))
    monkeypatch.setattr("studyhub.object_store._answered", set())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free.getsockname()[1]}")
        file_system.cache_clear()
        begun = time.monotonic()
        with pytest.raises(StoreError, match=r"s3://basins/home: .*connect"):
            remote.locate("s3://basins/home")
        assert time.monotonic() - begun < 20


def test_the_server_is_away_for_a_while(monkeypatch, tmp_path, bucket):
    monkeypatch.setenv("STUDYHUB_CACHE", str(tmp_path))
    for module, name, seconds in ((at_work, "FILES_EVERY", 0.5), (remote_launch, "FILES_EVERY", 0.5), (remote_launch, "STEP", 0.2)):
        monkeypatch.setattr(module, name, seconds)
    with Proxy(os.environ["AWS_ENDPOINT_URL"]) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        file_system.cache_clear()
        home = f"{bucket}/away"
        path, told = remote.locate(home), []
        write_study(path)
        with remote.launching(path, "study", told.append, told.append):
            proxy.closed = True
            back = threading.Timer(6.0, lambda: setattr(proxy, "closed", False))
            back.start()
            time.sleep(3)
            run(home, TRIALS[0])
            time.sleep(2)
        back.join()
        assert any("the study goes on" in line for line in told) and any("answers again" in line for line in told)
        assert f"store/trials/{TRIALS[0]}/result.json" in objects(home)


def test_an_object_store_that_stays_away_loses_nothing(monkeypatch, tmp_path, bucket):
    monkeypatch.setenv("STUDYHUB_CACHE", str(tmp_path))
    monkeypatch.setattr(at_work, "PATIENCE", 1.0)
    with Proxy(os.environ["AWS_ENDPOINT_URL"]) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        file_system.cache_clear()
        home = f"{bucket}/stays-away"
        path = remote.locate(home)
        write_study(path)
        with pytest.raises(StoreError, match=r"is kept in .*attempt-001 on .*, and the next launch from there sends it"):
            with remote.working(home, TRIALS[0]):
                finish(begin(path, TRIALS[0]))
                proxy.closed = True
        assert Store(path).state(TRIALS[0]) == "finished"
        assert "the trial has brought is kept" in (Store(path).latest_attempt(TRIALS[0]) / "log.txt").read_text()
        proxy.closed = False
        with remote.launching(path, "study", str, str):
            pass
        assert f"store/trials/{TRIALS[0]}/result.json" in objects(home)


def test_two_processes_begin_one_copy(home, tmp_path):
    program = "import sys; from studyhub.study import remote; from studyhub.study.remote.copies import copy_of; sys.stdin.read()\n"
    program += "print(copy_of(remote.locate(sys.argv[1])).token)"
    environment = os.environ | {"STUDYHUB_CACHE": str(tmp_path)}
    command = [sys.executable, "-c", program, home]
    children = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(3)]
    time.sleep(1)
    tokens = {child.communicate("")[0] for child in children}
    assert len(tokens) == 1 and tokens != {""}


def test_a_damaged_copy_is_said(home, machine):
    path = machine()
    (path / copies.MARKER).write_text("{")
    copies._marked.cache_clear()
    with pytest.raises(StoreError, match=r"object-store.json: damaged; remove .*: it is but a copy of s3"):
        remote.locate(home)
