"""What the statistics are worth: thousands of simulated studies of which the truth is known.

``python tests/simulated_studies.py`` runs them on all cores (a quarter of an hour on two) and writes the tables of
``studyhub/stats/README.md``; always the same, since the seed is fixed. `tests/stats/test_simulated_studies.py` runs a short version.

A study is a set of differences between two arms, one per basin, or scores of several arms. Basins lie as gauges do in a country of the size
of the United States: denser around some centres. Differences that go together in space are a Gaussian field with correlation
``s exp(-distance / range)`` between two basins, or ``s exp(-(distance / range)^2)`` where it is said to be smooth.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd

from studyhub.stats import bootstrap, power, sign_flips, signed_rank
from studyhub.stats.blocks import cluster, distances, sums
from studyhub.stats.compare import Question, compare
from studyhub.stats.correlation import Field

SEED, STUDIES, AT_ONCE, LEVEL = 20261126, 2000, 100, 0.05
FEWER = 4  # of whole comparisons, intervals and power as many times fewer studies: they take longer
PAGE = Path(__file__).parents[1] / "studyhub" / "stats" / "README.md"
SHARE = 0.7  # of the variance, where differences go together
SHIFT = 0.1  # true shift where coverage is asked for, in standard deviations


@dataclass(frozen=True)
class World:
    """How the differences of identical arms come about.

    Parameters
    ----------
    basins : how many
    range_km : over which they go together; 0: independent
    smooth : the field has no kinks
    tail : degrees of freedom of Student's t in place of the normal distribution; independent basins only
    """

    basins: int = 500
    range_km: float = 0.0
    smooth: bool = False
    tail: int | None = None

    def __str__(self) -> str:
        if not self.range_km:
            return "independent" + (f", heavy tails (t{self.tail})" if self.tail else "")
        return f"over {self.range_km:.0f} km" + (", smooth" if self.smooth else "")


@cache
def layout(basins: int) -> tuple[np.ndarray, np.ndarray]:
    """Latitudes and longitudes."""
    rng = np.random.default_rng([SEED, basins])
    centres = np.column_stack([rng.uniform(28, 48, 25), rng.uniform(-122, -70, 25)])
    near = centres[rng.integers(25, size=basins)] + rng.normal(0, (1.5, 2.0), size=(basins, 2))
    alone = np.column_stack([rng.uniform(26, 49, basins), rng.uniform(-124, -68, basins)])
    places = np.where(rng.random((basins, 1)) < 0.6, near, alone)
    return np.clip(places[:, 0], 25, 49), np.clip(places[:, 1], -124, -67)


@cache
def ground(basins: int) -> tuple[np.ndarray, Field]:
    """Blocks, and the field that they are in."""
    lat, lon = layout(basins)
    labels = cluster(lat, lon)
    return labels, Field(lat, lon, labels)


@cache
def root(world: World) -> np.ndarray:
    """Matrix that makes independent numbers a field."""
    away = distances(*layout(world.basins)) / world.range_km
    correlation = SHARE * np.exp(-(away**2) if world.smooth else -away) + (1 - SHARE) * np.eye(world.basins)
    return np.linalg.cholesky(correlation + 1e-9 * np.eye(world.basins))


def drawn(world: World, studies: int, rng: np.random.Generator) -> np.ndarray:
    """Differences [study, basin] of identical arms."""
    shape = (studies, world.basins)
    if world.tail:
        return rng.standard_t(world.tail, size=shape)
    noise = rng.normal(size=shape)
    return noise @ root(world).T if world.range_km else noise


def tests(world: World, shift: float, studies: int, seed: Sequence[int]) -> np.ndarray:
    """[study, (plain, blocks alone, blocked)]: whether each two-sided test finds a difference."""
    rng = np.random.default_rng(seed)
    d = drawn(world, studies, rng) + shift
    labels, field = ground(world.basins)
    ranks = np.stack([sign_flips.signed_ranks(row) for row in d])
    leakage = np.array([field.shared(fit).leakage for fit in field.fits(ranks)])
    of_blocks = np.stack([sums(row, labels) for row in ranks])
    plain = np.array([signed_rank.p_value(row, "two-sided").p for row in d])
    alone = sign_flips.p_of_sums(of_blocks, "two-sided", np.ones(studies))
    blocked = sign_flips.p_of_sums(of_blocks, "two-sided", leakage)
    return np.column_stack([plain, alone, blocked]) < LEVEL


def intervals(world: World, studies: int, seed: Sequence[int]) -> np.ndarray:
    """[study, (plain holds, blocked holds, width of plain, width of blocked)] of the intervals of a true shift."""
    rng = np.random.default_rng(seed)
    labels, field = ground(world.basins)
    rows = []
    for d in drawn(world, studies, rng) + SHIFT:
        plain = signed_rank.shift(d)
        careful = field.cautious(sign_flips.signed_ranks(d))
        blocked = bootstrap.of_blocks(d, labels, plain.estimate, careful, rng)
        holds = [low <= SHIFT <= high for low, high in ((plain.low, plain.high), (blocked.low, blocked.high))]
        rows.append([*holds, plain.high - plain.low, blocked.high - blocked.low])
    return np.array(rows, dtype=np.float64)


def seeds(case: tuple[int, float, int], studies: int, seed: Sequence[int]) -> np.ndarray:
    """[study, (plain holds, seeds and basins hold)] of the intervals where each training has an offset in all basins at once.

    Parameters
    ----------
    case : seeds of each arm, standard deviation of that offset (that of a basin's own noise is 0.3), basins
    """
    count, offset, basins = case
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(studies):
        skill, own = rng.normal(size=basins) + SHIFT, rng.normal(0, 0.3, size=(2, count, basins))
        better, than = own + rng.normal(0, offset, size=(2, count, 1)) + np.stack([skill, np.zeros(basins)])[:, None]
        plain = signed_rank.shift(better.mean(axis=0) - than.mean(axis=0))
        spread = bootstrap.of_seeds(better, than, plain.estimate, rng).interval
        rows.append([plain.low <= SHIFT <= plain.high, spread.low <= SHIFT <= spread.high])
    return np.array(rows, dtype=np.float64)


def claims(basins: int, studies: int, seed: Sequence[int]) -> np.ndarray:
    """[study, (any plain, any blocked, plain of the first claim)] found by `compare` among three claims on four identical arms."""
    rng = np.random.default_rng(seed)
    lat, lon = layout(basins)
    names = [f"{basin:03d}" for basin in range(basins)]
    places = pd.DataFrame({"basin": names, "lat": lat, "lon": lon})
    table = pd.DataFrame({"arm": np.repeat(list("abcd"), basins), "basin": names * 4})
    questions = [Question("a", "b", "nse", "larger"), Question("a", "c", "nse", "larger"), Question("d", "c", "nse", "larger")]
    rows = []
    for _ in range(studies):
        skill = np.tile(rng.normal(0.6, 0.2, size=basins), 4)
        found = compare(table.assign(nse=skill + rng.normal(0, 0.05, size=4 * basins)), questions, places=places)
        plain, blocked = ([one.p_holm for one in found], [one.blocked.p_adjusted for one in found])
        rows.append([min(plain) < LEVEL, min(blocked) < LEVEL, found[0].p_value < LEVEL])
    return np.array(rows, dtype=np.float64)


def planned(shift: float, studies: int, seed: Sequence[int]) -> np.ndarray:
    """[study, 1]: whether a study with as many basins as `power.needed` says shows the difference."""
    rng = np.random.default_rng(seed)
    count = needed(shift)
    return np.array(
        [[signed_rank.p_value(rng.normal(shift, 1, size=count), "greater").p < LEVEL] for _ in range(studies)], dtype=np.float64
    )


@cache
def needed(shift: float) -> int:
    """Basins, as a large pilot study says."""
    found = power.needed(np.random.default_rng([SEED, 7]).normal(shift, 1, size=400_000), "greater")
    assert found is not None
    return found


@dataclass(frozen=True)
class Pool:
    """Runs studies in parts on all cores; parts and their seeds do not depend on how many these are."""

    executor: ProcessPoolExecutor
    studies: int

    def mean(self, function, *key: object, number: int, fewer: int = 1) -> np.ndarray:
        """Mean over studies."""
        begun, studies = time.monotonic(), self.studies // fewer
        sizes = [min(AT_ONCE, studies - first) for first in range(0, studies, AT_ONCE)]
        jobs = [self.executor.submit(partial(function, *key), size, [SEED, number, part]) for part, size in enumerate(sizes)]
        found = np.concatenate([job.result() for job in jobs]).mean(axis=0)
        what = f"{function.__name__} {' '.join(map(str, key))}"
        print(f"{what}: {np.round(found, 4).tolist()} ({time.monotonic() - begun:.0f} s)", file=sys.stderr, flush=True)
        return found


WORLDS = (
    World(),
    World(tail=3),
    *(World(range_km=distance) for distance in (50.0, 100.0, 200.0, 400.0, 800.0)),
    World(range_km=200.0, smooth=True),
    World(range_km=400.0, smooth=True),
    World(basins=100),
    World(basins=100, range_km=200.0),
    World(basins=40),
    World(basins=40, range_km=200.0),
)
SHIFTS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4)
SEEDED = ((2, 0.0, 100), (2, 0.3, 100), (3, 0.3, 100), (3, 0.1, 500), (5, 0.3, 100))


def percent(value: float) -> str:
    return f"{100 * value:.1f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def false_positives(pool: Pool) -> str:
    rows = []
    for number, world in enumerate(WORLDS):
        found = pool.mean(tests, world, 0.0, number=number)
        blocks = int(ground(world.basins)[0].max()) + 1
        rows.append([str(world), str(world.basins), str(blocks), *map(percent, found)])
    return table(["differences go together", "basins", "blocks", "plain test, %", "blocks alone, %", "blocked test, %"], rows)


def families(pool: Pool) -> str:
    any_plain, any_blocked, first = pool.mean(claims, 100, number=100, fewer=FEWER)
    rows = [
        ["one claim, plain test, not adjusted", percent(first)],
        ["any of three claims, plain test, Holm", percent(any_plain)],
        ["any of three claims, blocked test, Holm", percent(any_blocked)],
    ]
    return table(["what is found between identical arms", "% of studies"], rows)


def coverage(pool: Pool) -> str:
    rows = []
    for number, world in enumerate(WORLDS):
        plain, blocked, width, wide = pool.mean(intervals, world, number=200 + number, fewer=FEWER)
        rows.append([str(world), str(world.basins), percent(plain), percent(blocked), f"{wide / width:.2f}"])
    return table(["differences go together", "basins", "plain interval, %", "blocked interval, %", "width, blocked / plain"], rows)


def seed_coverage(pool: Pool) -> str:
    rows = []
    for number, case in enumerate(SEEDED):
        plain, spread = pool.mean(seeds, case, number=300 + number, fewer=FEWER)
        rows.append([str(case[0]), str(case[2]), f"{case[1]:g}", percent(plain), percent(spread)])
    return table(["seeds", "basins", "offset of a seed", "plain interval, %", "seeds, then basins, %"], rows)


def powers(pool: Pool) -> str:
    worlds = (World(), World(range_km=100.0), World(range_km=200.0))
    rows = []
    for number, shift in enumerate(SHIFTS):
        found = [pool.mean(tests, world, shift, number=400 + 10 * number + at, fewer=FEWER) for at, world in enumerate(worlds)]
        rows.append([f"{shift:g}", *(percent(value) for each in found for value in (each[0], each[2]))])
    head = ["true shift (standard deviations)", *(f"{world}: {test}, %" for world in worlds for test in ("plain", "blocked"))]
    return table(head, rows)


def plans(pool: Pool) -> str:
    rows = [
        [f"{shift:g}", str(needed(shift)), percent(pool.mean(planned, shift, number=500 + n)[0])] for n, shift in enumerate((0.1, 0.2, 0.4))
    ]
    return table(["true shift (standard deviations)", "basins by the formula", "studies that show it, %"], rows)


TABLES = {
    "false positives": false_positives,
    "families": families,
    "coverage": coverage,
    "seeds": seed_coverage,
    "power": powers,
    "needed": plans,
}


def written(page: str, name: str, text: str) -> str:
    """Page with a table between its markers."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    if not after:
        raise SystemExit(f"{PAGE}: there are no markers {begin} and {end}")
    return f"{before}{begin}\n{text}\n{end}{after}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=STUDIES, help="of each kind; fewer are for a look, and are not written")
    parser.add_argument("--only", choices=TABLES, help="one table")
    given = parser.parse_args()
    with ProcessPoolExecutor(os.cpu_count()) as executor:
        pool = Pool(executor, given.studies)
        for name, make in TABLES.items():
            if given.only in (None, name):
                text = make(pool)
                print(f"\n{name}\n{text}\n", flush=True)
                if given.studies == STUDIES:
                    PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), name, text), encoding="utf-8")


if __name__ == "__main__":
    # One thread for each process: the libraries' own would only wait for one another.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    main()
