"""A worker that runs trial after trial: what one does to its process does not reach the next."""

import json
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch

from studyhub.runner.globals import contained, reset_globals

pytestmark = pytest.mark.usefixtures("globals_as_before")


def test_numbers_are_drawn_and_computed_as_in_a_new_process():
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    torch.set_num_threads(2)
    reset_globals(3, 1)
    first = torch.rand(2), np.random.rand()  # noqa: NPY002
    assert (torch.get_default_dtype(), torch.is_grad_enabled()) == (torch.float32, True)
    assert torch.get_num_threads() == 1  # kernels go by it too
    reset_globals(3, 1)
    assert torch.equal(first[0], torch.rand(2))
    assert first[1] == np.random.rand()  # noqa: NPY002


def test_what_belongs_to_the_process_is_put_back_after_a_fault_too(tmp_path, monkeypatch):
    monkeypatch.setenv("STUDYHUB_TEST", "before")
    folder, environment, errors = os.getcwd(), dict(os.environ), np.geterr()
    with pytest.raises(ZeroDivisionError), contained(1, 1):
        os.chdir(tmp_path)
        os.environ.update(STUDYHUB_TEST="after", STUDYHUB_NEW="1")
        os.environ.pop("PATH", None)
        np.seterr(all="raise")
        raise ZeroDivisionError
    assert (os.getcwd(), dict(os.environ), np.geterr()) == (folder, environment, errors)


# A and then B in one process, and A again. B is another trial, in double precision, that changes all that it can reach.
SCRIPT = """
    import json, os, random, signal, sys, warnings
    from pathlib import Path
    sys.path.insert(0, {tests!r})
    import numpy as np
    import torch
    import test_resume as t
    from studyhub.runner.trial import run

    folder = Path({folder!r})
    world = t.build(t.SyntheticSettings(basins=4, years=3), folder / "shards")

    def spoils(trial, shards, folder, **how):
        outcome = run(trial, shards, folder, **how)
        torch.rand(7), np.random.rand(7), random.random()
        torch.set_default_dtype(torch.float64)
        torch.set_default_device("meta")
        torch.set_grad_enabled(False)
        torch.set_num_threads(2)
        torch.set_flush_denormal(True)
        torch.set_float32_matmul_precision("medium")
        torch.use_deterministic_algorithms(False)
        torch.autograd.set_detect_anomaly(True)
        torch.set_printoptions(precision=2)
        torch.backends.mkldnn.enabled = False
        torch.utils.deterministic.fill_uninitialized_memory = True
        np.seterr(all="raise")
        np.set_printoptions(precision=1)
        warnings.simplefilter("error")
        os.environ.update(TZ="Asia/Tokyo", OMP_NUM_THREADS="2", STUDYHUB_HOME="elsewhere")
        os.chdir("/")
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, lambda *_: None)
        return outcome

    def state():
        return [
            os.getcwd(), os.environ.get("TZ"), os.environ.get("STUDYHUB_HOME"), str(signal.getsignal(signal.SIGTERM)),
            str(signal.getsignal(signal.SIGINT)), str(np.geterr()), np.get_printoptions()["precision"], str(warnings.filters),
        ]

    def go(name, case, runner=None, **changes):
        home, trial = t.Home(folder / name, world), t.a_trial(world, case, **changes)
        said = home.attempt(trial, runner=runner)
        assert said["state"] == "finished", said
        files = t.left(home.latest(trial))
        return {{name: str(content) for name, content in files.items()}}

    os.chdir(folder)
    wrong = []
    for case in ("lstm kratzert best some", "implicit"):
        before = state()
        first = go(f"{{case}}-a", case)
        go(f"{{case}}-b", "sequential best one" if case == "implicit" else "implicit", spoils, dtype="float64", seed=7)
        assert state() == before, (state(), before)
        again = go(f"{{case}}-c", case)
        assert torch.get_float32_matmul_precision() == "highest" and not torch.is_anomaly_enabled()
        assert (torch.tensor([1e-40]) * 2).item() > 0, "denormal numbers are lost"
        wrong += [f"{{case}}: {{name}}" for name in first if first[name] != again.get(name)]
    print(json.dumps(wrong))
"""


@pytest.mark.slow
def test_a_trial_gives_the_same_after_any_other_one_in_its_process(tmp_path):
    code = textwrap.dedent(SCRIPT.format(tests=os.path.dirname(__file__), folder=str(tmp_path)))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1]) == []
