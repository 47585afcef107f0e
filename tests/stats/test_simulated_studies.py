"""A short version of `simulated_studies`, whose long one makes the tables of the statistics' page."""

import re

import simulated_studies as simulated
from simulated_studies import PAGE, World, intervals


def test_identical_arms_and_true_shifts():
    """Limits are three standard deviations of as few studies beyond 5 % and 95 %."""
    independent = simulated.tests(World(), 0.0, 400, [1]).mean(axis=0)
    assert 0.02 <= independent[0] <= 0.08 and independent[2] <= 0.09
    plain, alone, blocked = simulated.tests(World(range_km=200.0), 0.0, 400, [2]).mean(axis=0)
    assert plain > 0.4 and blocked <= 0.09 and blocked < alone
    held = intervals(World(range_km=100.0), 60, [3]).mean(axis=0)
    assert held[0] < 0.85 and held[1] >= 0.86
    _, spread = simulated.seeds((3, 0.3, 40), 80, [4]).mean(axis=0)
    assert spread >= 0.87


def test_the_page_keeps_what_it_promises():
    """Its tables are of whole runs: false positives of all worlds are within what the page says."""
    text = PAGE.read_text(encoding="utf-8")
    rows = re.search(r"begin false positives -->\n(.*?)\n<!--", text, re.S).group(1).splitlines()[2:]
    assert len(rows) == len(simulated.WORLDS)
    for row, world in zip(rows, simulated.WORLDS, strict=True):
        plain, _, blocked = (float(cell) for cell in row.strip("| ").split(" | ")[-3:])
        assert blocked < 7 and (world.range_km or 3.5 <= plain <= 6.5), row
