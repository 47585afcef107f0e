"""Time of one training step of dHBV and dHBV.adj as in the papers: 100 basins, two years, 16 components, hidden size 256."""

import pytest
import torch
from problems import weather

from studyhub.models.build import build
from studyhub.study.settings import Model

PAPERS = {
    "dhbv": Model(kind="dpl", scheme="sequential", dynamic=("BETA", "BETAET"), forcing=("prcp", "tmean", "pet"), attributes=("a",) * 35),
    "dhbv_adj": Model(
        kind="dpl",
        scheme="implicit",
        dynamic=("BETA", "FC", "BETAET"),
        warmup_gradients=True,
        forcing=("prcp", "tmean", "pet"),
        attributes=("a",) * 35,
    ),
}


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
@pytest.mark.parametrize("name", PAPERS)
@pytest.mark.benchmark(group="training step: network, march, routing, loss, gradients, AdaDelta; float32")
def test_training_step(benchmark, name, device):
    basins, window = (2, 40) if benchmark.disabled else (100, 365)
    model = build(PAPERS[name], None, torch.Generator().manual_seed(0)).to(device).train()
    optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0)
    forcing = weather(2 * window, basins).float().to(device)
    attributes = torch.rand(basins, 35, generator=torch.Generator().manual_seed(1)).to(device)

    def step() -> float:
        optimizer.zero_grad()
        loss = model((forcing - forcing.mean((0, 1))) / forcing.std((0, 1)), attributes, forcing, window).discharge.square().mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    assert step() > 0
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    benchmark.pedantic(step, rounds=1 if benchmark.disabled else 5)
    if device == "cuda":
        benchmark.extra_info["peak_memory_mib"] = torch.cuda.max_memory_allocated() / 2**20
