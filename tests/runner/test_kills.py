"""The short version of tests/chaos.py: four trials, three kills."""

import random

import chaos
import pytest
import torch
import undisturbed


@pytest.fixture(autouse=True)
def globals_as_before():
    """Trials set what is global to their process, which here is that of all tests."""
    threads = torch.get_num_threads()
    yield
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_study_that_is_killed_three_times_is_finished_once_and_comes_to_the_same(tmp_path):
    calm, home = tmp_path / "calm", tmp_path / "home"
    home.mkdir()
    study = chaos.write_study(tmp_path / "chaos.yaml", trials=chaos.ARMS, epochs=20, updates=30)
    undisturbed.run(study, calm)
    killer = chaos.Killer(study, ["worker", "all", "launch"], pause=0.5, draw=random.Random(6))
    killer.finish(home)
    counts = chaos.verify(study, home, calm)
    assert killer.killed.total() == 3 and killer.launches == 3 and killer.codes == {-9: 2}
    assert counts["trials"] == 4 and counts["resumed"] >= 1
