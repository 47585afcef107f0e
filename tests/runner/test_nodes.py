"""What nodes answer: two real ones in a process of their own, whose package one of them does not have; the rest without Ray."""

import json
import os
import subprocess
import sys
import textwrap
import time
from dataclasses import replace

import pytest
import servers

from studyhub.runner.workers import nodes
from studyhub.runner.workers.nodes import Equipment

DRIVER = """
    import json, sys
    from pathlib import Path
    import ray
    from ray.cluster_utils import Cluster
    from studyhub.errors import ResourceError
    from studyhub.runner.workers import nodes

    home, other = map(Path, sys.argv[1:])
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=1, env_vars={"PYTHONPATH": str(other)})

    def join(env):
        ray.init(cluster.address, runtime_env=env, log_to_driver=False, logging_level="ERROR")

    def where():
        import studyhub
        from studyhub.study.provenance import provenance
        return studyhub.__file__, provenance(device="-", dtype="-")["commit"]

    join({})
    told = {}
    try:
        nodes.equip(None, home, home / "shards")
    except ResourceError as error:
        told["refused"] = str(error)
    found = nodes.equip(join, home, home / "shards")
    told["codes"] = sorted({node.code for node in found})
    told["nodes"] = len({node.id for node in found})
    (home / "shards" / "manifest.json").write_text("{ }")
    one = nodes.probe(home, home / "shards")[0]
    told["known"] = [one.home, list(one.shards), one.fault, one.versions["torch"], one.free > 0, abs(one.skew) < 5]
    told["where"] = ray.get([ray.remote(num_cpus=1)(where).remote() for _ in range(2)])
    told["left"] = sorted(path.name for path in home.iterdir())
    ray.shutdown()
    cluster.shutdown()
    print(json.dumps(told))
"""
GOOD = Equipment("id", "node7", nodes._versions(), nodes._code(), free=100.0)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_node_with_another_studyhub_gets_this_one(tmp_path):
    home, other = tmp_path / "home", tmp_path / "other"
    (home / "shards").mkdir(parents=True)
    (home / "shards" / "manifest.json").write_text("{}")
    (other / "studyhub").mkdir(parents=True)
    (other / "studyhub" / "__init__.py").write_text("# an older one\n")
    (tmp_path / "driver.py").write_text(textwrap.dedent(DRIVER))
    environment = os.environ | {"RAY_AUTH_MODE": "token", "RAY_USAGE_STATS_ENABLED": "0", "STUDYHUB_COMMIT": "0123abc"}
    command = [sys.executable, tmp_path / "driver.py", home, other]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    first, *lines = told["refused"].splitlines()
    assert first == "the cluster cannot run this study:"
    assert [line.partition(": ")[2] for line in lines] == ["another studyhub than here; install the same there"]
    assert (told["codes"], told["nodes"]) == ([GOOD.code], 2)
    assert told["known"] == [None, [], None, GOOD.versions["torch"], True, True]
    # Both run it from the copy that Ray has brought, and know the commit, though a copy lies in no checkout.
    assert [commit for _, commit in told["where"]] == ["0123abc", "0123abc"]
    assert all("py_modules" in file for file, _ in told["where"])
    assert told["left"] == ["shards"]


def test_nothing_is_missing_on_a_node_like_this():
    assert nodes.missing([GOOD]) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"fault": "it did not answer within 90 s"}, "it did not answer within 90 s; look at it with `ray status`"),
        ({"code": ""}, "no studyhub; install the same there"),
        ({"versions": {}}, "no torch, numpy, scipy, numba, pandas, pyarrow; install studyhub there as here"),
        ({"versions": GOOD.versions | {"torch": "2.9.1"}}, f"torch 2.9.1, here {GOOD.versions['torch']}; install the same there"),
        ({"home": "is not there"}, "the home folder is not there; give a folder that all nodes share"),
        (
            {"shards": ("/a cannot be read (No such file or directory)",)},
            "the basins: /a cannot be read (No such file or directory); put them",
        ),
        ({"skew": -75.0}, "its clock is 75 s behind that of the home folder"),
        ({"free": 0.1}, "0.10 GiB are free in the home folder; make room"),
    ],
)
def test_each_lack_has_a_line_that_says_what_to_do(change, told):
    (line,) = nodes.missing([GOOD, replace(GOOD, host="node8", **change)])
    assert line.startswith(f"node8: {told}")


def test_a_home_that_is_another_folder_is_told_from_one_that_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(nodes, "APPEAR_SECONDS", 0.2)
    (tmp_path / "token").write_text("token")
    assert nodes._look_at_home(str(tmp_path), "token")[0] is None
    assert nodes._look_at_home(str(tmp_path), "another")[0] == "is not the folder that this launch uses"
    assert nodes._look_at_home(str(tmp_path / "none"), "token")[0] == "is not there"


def test_a_clock_that_is_ahead_of_the_filesystem(tmp_path, monkeypatch):
    (tmp_path / "token").write_text("token")
    now = time.time
    monkeypatch.setattr(nodes.time, "time", lambda: now() + 120)
    assert nodes._look_at_home(str(tmp_path), "token")[2] == pytest.approx(120, abs=2)


def test_basins_that_are_not_those_of_the_launch(tmp_path):
    (tmp_path / "manifest.json").write_text("{}")
    assert nodes._look_at_shards(str(tmp_path), 2) is None
    assert nodes._look_at_shards(str(tmp_path), 3) == f"{tmp_path} holds other basins than here"
    assert nodes._look_at_shards(str(tmp_path / "none"), 2) == f"{tmp_path / 'none'} cannot be read (No such file or directory)"


def test_a_home_and_basins_in_an_object_store(monkeypatch):
    with servers.s3(monkeypatch) as bucket, nodes._token(f"{bucket}/home") as token:
        assert nodes._look_at_home(f"{bucket}/home", token) == (None, None, 0.0)
        assert str(nodes._look_at_home(f"{bucket}/home", "another")[0]).startswith("cannot be read (")
        nodes.folder(f"{bucket}/shards").write("manifest.json", b"{}")
        assert nodes._look_at_shards(f"{bucket}/shards", 2) is None
        assert nodes._look_at_shards(f"{bucket}/shards", 3) == f"{bucket}/shards holds other basins than here"
        assert str(nodes._look_at_shards(f"{bucket}/none", 2)).startswith(f"{bucket}/none cannot be read (")


def test_the_hash_of_the_code_is_that_of_its_files(tmp_path, monkeypatch):
    package = tmp_path / "studyhub"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "a.py").write_text("x = 1\n")

    class Found:
        origin = str(package / "__init__.py")

    monkeypatch.setattr(nodes.importlib.util, "find_spec", lambda name: Found)
    first = nodes._code()
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "a.pyc").write_bytes(b"x")
    assert nodes._code() == first != GOOD.code
    (package / "a.py").write_text("x = 2\n")
    assert nodes._code() != first
    monkeypatch.setattr(nodes.importlib.util, "find_spec", lambda name: None)
    assert nodes._code() == ""


def test_gpus_as_nvidia_says_them(tmp_path, monkeypatch):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'NVIDIA A100-SXM4, 40GB, 40960'\necho 'NVIDIA T4, 15360'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert nodes.gpus() == (("NVIDIA A100-SXM4, 40GB", 40.0), ("NVIDIA T4", 15.0))
    program.write_text("#!/bin/sh\nexit 9\n")
    assert nodes.gpus() == ()
