import os
import subprocess
import sys
import textwrap

import pytest
import torch
from torch import nn

from studyhub.training.optimizer import KINDS, optimizer

TORCHS = {"adadelta": torch.optim.Adadelta, "adam": torch.optim.Adam}


def steps(model, how, count, seed):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(count):
        how.zero_grad()
        (model(torch.randn(8, 5, generator=generator)) ** 2).mean().backward()
        how.step()


@pytest.mark.parametrize("kind", KINDS)
def test_it_steps_as_torchs_own_does_from_a_saved_state_too(kind):
    trained = []
    for make in (lambda weights: optimizer(kind, weights, 0.3), lambda weights: TORCHS[kind](weights, lr=0.3)):
        torch.manual_seed(1)
        model = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 1))
        first, second = make(list(model.parameters())), make(list(model.parameters()))
        steps(model, first, 3, seed=2)
        second.load_state_dict(first.state_dict())
        steps(model, second, 3, seed=3)
        assert all(value.requires_grad for value in model.parameters())
        trained.append(torch.cat([value.detach().flatten() for value in model.parameters()]))
    assert torch.equal(*trained)


@pytest.mark.slow
def test_no_training_loads_torchs_compiler(tmp_path):
    code = """
        import sys
        from pathlib import Path
        sys.path.insert(0, {tests!r})
        import test_resume as t

        world = t.build(t.SyntheticSettings(basins=4, years=3), Path("shards"))
        for case in ("lstm kratzert best some", "implicit"):
            home, trial = t.Home(Path(case), world), t.a_trial(world, case)
            assert home.attempt(trial)["state"] == "finished"
        print("loaded:", *({{"torch._dynamo", "torch._inductor"}} & set(sys.modules)))
    """
    script = textwrap.dedent(code.format(tests=os.path.join(os.path.dirname(__file__), "..", "runner")))
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "loaded:"
