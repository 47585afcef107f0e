"""Two Ray nodes on one machine, with one processor each and one home folder; one is killed amid its trial."""

import os
import subprocess
import sys
import textwrap

import chaos
import pytest
import undisturbed

from studyhub.study.store import Store

pytestmark = pytest.mark.usefixtures("globals_as_before")

DRIVER = """
    import os, sys, threading, time
    from pathlib import Path
    from ray.cluster_utils import Cluster
    from studyhub.launch import launch

    study, home = map(Path, sys.argv[1:])
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    second = cluster.add_node(num_cpus=1)

    def kill():
        two = lambda: len(list(home.glob("store/trials/*/attempt-001/epochs/0003.json"))) >= 2
        while not two():
            time.sleep(0.05)
        cluster.remove_node(second, allow_graceful=False)

    threading.Thread(target=kill, daemon=True).start()
    os._exit(launch(study, home, address=cluster.address))
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_node_that_is_killed_amid_a_study_costs_no_trial(tmp_path):
    calm, home = tmp_path / "calm", tmp_path / "home"
    study = chaos.write_study(tmp_path / "two.yaml", trials=chaos.ARMS, epochs=24, updates=20)
    undisturbed.run(study, calm)
    command = [sys.executable, "-c", textwrap.dedent(DRIVER), str(study), str(home)]
    done = subprocess.run(command, env=os.environ | {"PYTHONUNBUFFERED": "1"}, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    assert "its node was lost: tried again (1 of 3)" in done.stderr
    counts = chaos.verify(study, home, calm)
    assert counts["disturbed"] == 1 and counts["resumed"] == 1
    assert {Store(home).state(trial.name) for trial in (home / "store" / "trials").iterdir()} == {"finished"}
