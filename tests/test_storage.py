"""Folders on disk and in a real S3 server behave alike."""

import os
import threading
import time

import pytest
from servers import Proxy, s3

from studyhub.data.manifest import Manifest
from studyhub.errors import DataError
from studyhub.object_store import cause, file_system, is_passing
from studyhub.storage import absolute, folder, is_remote, last_part


@pytest.fixture(params=["disk", "s3"])
def place(request, tmp_path, monkeypatch):
    if request.param == "disk":
        yield folder(tmp_path / "a" / "b")
        return
    with s3(monkeypatch) as bucket:
        yield folder(f"{bucket}/a/b/")


def test_what_is_written_is_read(place):
    assert place.names() == ()
    for content in (b"first", b"second and longer", b""):
        place.write("x.bin", content)
        assert place.read("x.bin") == content and place.size("x.bin") == len(content)
    place.write("y.bin", b"y" * 6_000_000)
    assert place.names() == ("x.bin", "y.bin")
    assert place.size("y.bin") == 6_000_000
    place.remove("x.bin")
    place.remove("x.bin")
    assert place.names() == ("y.bin",)


def test_what_is_not_there_is_a_missing_file(place):
    for ask in (place.size, place.read):
        with pytest.raises(FileNotFoundError):
            ask("nothing")


def test_a_bucket_that_is_not_there(monkeypatch):
    with s3(monkeypatch), pytest.raises(OSError, match="NO_SUCH_BUCKET"):
        folder("s3://elsewhere/x").write("a", b"1")


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    place = folder(tmp_path)
    place.write("a", b"old")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        place.write("a", b"new")
    assert place.read("a") == b"old" and place.names() == ("a",)


def test_what_a_kill_left_of_a_write_is_no_file(tmp_path, monkeypatch):
    place = folder(tmp_path)
    monkeypatch.setattr("os.replace", lambda *_: os._exit(9))
    if (child := os.fork()) == 0:
        place.write("a", b"new")
    os.waitpid(child, 0)
    assert len(list(tmp_path.iterdir())) == 1 and place.names() == ()


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    assert folder(tmp_path / "file").names() == ()
    with pytest.raises(DataError, match="manifest.json are required, there is none"):
        Manifest.open(tmp_path / "file")


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("http://host/x", "begins with s3:// or gs://"),
        ("s3://key:secret@bucket/x", "credentials belong into the environment"),
        ("s3://", "name of a bucket is required"),
    ],
)
def test_uris_that_are_refused(uri, message):
    with pytest.raises(DataError, match=message) as error:
        folder(uri)
    assert "secret" not in str(error.value)


def test_names_of_places(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert absolute("shards/us") == str(tmp_path / "shards" / "us")
    assert absolute("gs://b/x") == "gs://b/x"
    assert last_part("s3://b/x/y/") == "y" and last_part("shards/us/") == "us"
    assert is_remote("s3://b") and not is_remote("s3/b") and not is_remote(tmp_path)


def test_files_go_to_an_object_store_and_come_back(tmp_path, monkeypatch):
    with s3(monkeypatch) as bucket:
        place = folder(f"{bucket}/moved")
        for name, content in {"x/y/large.bin": os.urandom(20_000_000), "x/empty": b"", "z.bin.gz": b"as it is"}.items():
            (tmp_path / "from").write_bytes(content)
            assert place.send(name, tmp_path / "from") == len(content)
            place.fetch(name, tmp_path / "to" / name)
            assert (tmp_path / "to" / name).read_bytes() == content
        assert {name: listed.size for name, listed in place.walk("x").items()} == {"x/y/large.bin": 20_000_000, "x/empty": 0}
        assert all(abs(listed.written - time.time()) < 60 for listed in place.walk().values()) and len(place.walk()) == 3
        assert folder(f"{bucket}/nothing").walk() == {}
        with pytest.raises(FileNotFoundError):
            place.fetch("nothing", tmp_path / "nothing")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["from", "to"]


def test_a_store_that_has_answered_is_waited_for(monkeypatch):
    with s3(monkeypatch), Proxy(os.environ["AWS_ENDPOINT_URL"]) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        file_system.cache_clear()
        place = folder("s3://basins/a")
        place.write("x", b"1")
        proxy.closed = True
        back = threading.Timer(4.0, lambda: setattr(proxy, "closed", False))
        back.start()
        assert place.read("x") == b"1"
        back.join()
        proxy.closed = True
        monkeypatch.setattr("studyhub.object_store._answered", set())
        with pytest.raises(OSError) as error:
            place.read("x")
        assert is_passing(error.value)


@pytest.mark.parametrize(
    ("error", "passing", "told"),
    [
        (OSError("AWS Error NO_SUCH_BUCKET during PutObject: none (Request ID: x)"), False, "there is no such bucket"),
        (OSError("AWS Error ACCESS_DENIED during HeadObject operation: No response body."), False, "access is denied"),
        (OSError("google::cloud::Status(PERMISSION_DENIED: no)"), False, "access is denied"),
        (OSError("AWS Error SLOW_DOWN during PutObject: wait for k3y (Request ID: x)"), True, "SLOW_DOWN during PutObject: wait for ***"),
        (OSError(28, "No space left on device"), False, "No space left on device"),
    ],
)
def test_what_a_store_answers(monkeypatch, error, passing, told):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "k3y")
    assert is_passing(error) is passing
    assert told in cause(error) and "k3y" not in cause(error) and "Request ID" not in cause(error)
