import subprocess
import sys

import torch
from problems import IMPROVED, LINEAR_RESERVOIR

from studyhub.kernels import cpu
from studyhub.kernels.source import kernel_source
from studyhub.solvers import implicit, sequential


def test_source_is_plain_and_reproducible():
    source = kernel_source(IMPROVED, implicit, "float32")
    assert source == kernel_source(IMPROVED, implicit, "float32")
    assert "torch" not in source
    compile(source, "kernel", "exec")


def test_constants_carry_the_kernel_precision():
    assert "R = np.float32" in kernel_source(LINEAR_RESERVOIR, sequential, "float32")
    assert "R = np.float64" in kernel_source(LINEAR_RESERVOIR, sequential, "float64")


def test_kernels_are_kept_on_disk_and_found_by_a_new_process(tmp_path):
    code = (
        "import torch; from problems import LINEAR_RESERVOIR as m; from studyhub.solvers.march import march;"
        "march(m, 'sequential', torch.ones(3, 1, 1), {'K': torch.full((1, 1), 0.5)}, backend='cpu')"
    )
    environment = {"STUDYHUB_CACHE": str(tmp_path), "PYTHONPATH": ":".join(sys.path), "HOME": str(tmp_path)}
    for _ in range(2):
        subprocess.run([sys.executable, "-c", code], check=True, env=environment)
        sources = list(tmp_path.glob("linear_reservoir_sequential_*.py"))
        assert len(sources) == 1
        compiled = {path: path.stat().st_mtime_ns for path in (tmp_path / "__pycache__").glob("*.nbc")}
        assert compiled
    again = {path: path.stat().st_mtime_ns for path in (tmp_path / "__pycache__").glob("*.nbc")}
    assert again == compiled


def test_a_folder_that_cannot_be_written_is_no_obstacle(monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("STUDYHUB_CACHE", str(blocked / "below"))
    monkeypatch.setattr(cpu.tempfile, "gettempdir", lambda: str(tmp_path))
    assert cpu._written("x = 1\n", "kernel").read_text() == "x = 1\n"


def test_backward_needs_no_stores_when_nothing_learns():
    problem = torch.ones(3, 1, 1), {"K": torch.full((1, 1), 0.5)}
    from studyhub.solvers.march import march

    assert not march(LINEAR_RESERVOIR, "implicit", *problem).outputs["qsim"].requires_grad
