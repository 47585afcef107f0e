"""Compile the kernels that trials will ask for, before any of them starts: each once, in a process of its own.

Trials then find machine code on disk. It is theirs to share and the same for all: a process that compiles may round otherwise than those
that load what it has compiled.
"""

import json
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache

from studyhub.catalog import PHYSICS
from studyhub.kernels.build import compiled
from studyhub.physics.structure import Physics
from studyhub.study.process import machine_cpus
from studyhub.study.settings import Trial

MODULE = "studyhub.runner.precompile"


@dataclass(frozen=True, order=True)
class Wanted:
    """A kernel, by what a study says."""

    physics: str
    capillary_rise: bool
    scheme: str
    raw: bool
    dtype: str
    device: str

    @property
    def label(self) -> str:
        return f"{self.physics} {self.scheme}"

    @property
    def target(self) -> str:
        return "cuda" if self.device == "cuda" else "cpu"

    def model(self) -> Physics:
        return PHYSICS[self.physics].variant(capillary_rise=self.capillary_rise)

    def there(self) -> bool:
        """Tell whether this machine has it already."""
        return compiled(self.model(), self.scheme, self.dtype, self.target, self.raw)


def wanted(trials: Iterable[Trial], device: str) -> list[Wanted]:
    """Kernels that these trials need, each once."""
    models = {(trial.model, trial.dtype) for trial in trials if trial.model.kind == "dpl"}
    return sorted({Wanted(m.physics, m.capillary_rise, m.scheme, m.raw_stores, dtype, device) for m, dtype in models})


def compile_lacking(kernels: Iterable[Wanted]) -> tuple[int, list[str]]:
    """Compile those that this machine does not have, as many at a time as it has processors; return how many, and what went wrong."""
    lacking = [kernel for kernel in kernels if not kernel.there()]
    with ThreadPoolExecutor(max(1, machine_cpus())) as pool:
        return len(lacking), [fault for fault in pool.map(_in_a_process, lacking) if fault]


@cache
def ensure(kernel: Wanted) -> None:
    """Compile a kernel that no launch could know of: a search has come upon it. Where that fails, its trial does it itself."""
    compile_lacking([kernel])


def _in_a_process(kernel: Wanted) -> str | None:
    command = [sys.executable, "-m", MODULE, json.dumps(asdict(kernel))]
    run = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if run.returncode == 0:
        return None
    last = (run.stderr.strip().splitlines() or ["it said nothing"])[-1]
    return f"the kernel {kernel.label} could not be compiled ahead ({last}); its trials will try again"


def main(argument: str) -> None:
    """Run two days of one basin, forward and backward: that compiles all there is to a kernel."""
    import torch

    from studyhub.solvers.march import march

    kernel = Wanted(**json.loads(argument))
    physics, dtype = kernel.model(), getattr(torch, kernel.dtype)
    forcing = torch.ones(2, 1, len(physics.forcing), dtype=dtype, device=kernel.device)
    values = {p.name: torch.full((1, 1), (p.low + p.high) / 2, dtype=dtype, device=kernel.device) for p in physics.parameters}
    for value in values.values():
        value.requires_grad_()
    march(physics, kernel.scheme, forcing, values, raw=kernel.raw).outputs["qsim"].sum().backward()


if __name__ == "__main__":
    main(sys.argv[1])
