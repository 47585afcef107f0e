import subprocess
import sys

from studyhub.kernels import build


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
    monkeypatch.setattr(build.tempfile, "gettempdir", lambda: str(tmp_path))
    assert build._kept("kernel", lambda: "x = 1\n").read_text() == "x = 1\n"
    assert build._kept("kernel", lambda: 1 / 0).read_text() == "x = 1\n"  # it is there already
