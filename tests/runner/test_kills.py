"""The short version of tests/chaos.py: four trials, three kills."""

import random

import chaos
import pytest
import undisturbed

pytestmark = pytest.mark.usefixtures("globals_as_before")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_study_that_is_killed_three_times_is_finished_once_and_comes_to_the_same(tmp_path):
    calm, home = tmp_path / "calm", tmp_path / "home"
    home.mkdir()
    study = chaos.write_study(tmp_path / "chaos.yaml", trials=chaos.ARMS, epochs=12, updates=30)
    undisturbed.run(study, calm)
    killer = chaos.Killer(study, ["worker", "all", "launch"], pause=0.5, draw=random.Random(6))
    killer.finish(home)
    counts = chaos.verify(study, home, calm)
    assert killer.killed.total() == 3 and killer.launches == 3 and killer.codes == {-9: 2}
    assert counts["trials"] == 4 and counts["resumed"] >= 1
