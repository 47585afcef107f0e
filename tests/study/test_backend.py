import pytest

from studyhub.study import backend
from studyhub.study.backend import backend_here
from studyhub.study.shape import Resources


@pytest.fixture(params=[True, False], ids=["with a GPU", "without"])
def machine(request, tmp_path, monkeypatch) -> bool:
    """A machine that shows a GPU, or none."""
    monkeypatch.setattr(backend, "DEVICES", (f"{tmp_path}/nvidia[0-9]*",))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    (tmp_path / "nvidiactl").touch()
    if request.param:
        (tmp_path / "nvidia3").touch()
    return request.param


def test_auto_takes_what_the_machine_shows(machine):
    assert backend_here(Resources()) == ("cuda" if machine else "cpu")


@pytest.mark.parametrize(("visible", "shown"), [("", False), (" ", False), ("-1", False), ("0", True), ("3,4", True), ("GPU-8f2", True)])
def test_a_gpu_may_be_hidden(machine, monkeypatch, visible, shown):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert backend_here(Resources()) == ("cuda" if machine and shown else "cpu")


@pytest.mark.parametrize(("gpus", "expected"), [(0, "cpu"), (0.0, "cpu"), (0.5, "cuda"), (1, "cuda")])
def test_a_number_of_gpus_needs_no_look(machine, gpus, expected):
    assert backend_here(Resources(gpus=gpus)) == expected
