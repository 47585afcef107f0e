import numpy as np
import pandas as pd
import pytest
from scipy import stats

from studyhub.errors import DataError
from studyhub.stats import bootstrap, power, ranks, sign_flips, signed_rank
from studyhub.stats.blocks import cluster, distances
from studyhub.stats.compare import Question, compare
from studyhub.stats.correlation import Field, Fit, shared
from studyhub.stats.places import Places
from studyhub.stats.pseudo_median import pseudo_medians
from studyhub.stats.strata import by_group, overview, terciles

RNG = np.random.default_rng(4)
LAT, LON = RNG.uniform(28, 48, 60), RNG.uniform(-120, -70, 60)


def test_distances_are_those_on_the_earth():
    found = distances([0, 0, 90, 0], [0, 90, 0, 179])
    assert found[0, 1] == pytest.approx(np.pi / 2 * 6371) and found[1, 2] == pytest.approx(np.pi / 2 * 6371)
    assert distances([0, 0], [179.5, -179.5])[0, 1] == pytest.approx(6371 * np.radians(1)), "over the date line"


def test_blocks_are_neighbours_and_the_same_each_time():
    labels = cluster(LAT, LON)
    assert len(np.unique(labels)) == labels.max() + 1 <= 12
    away = distances(LAT, LON)
    same = labels[:, None] == labels
    assert away[same].mean() < 0.4 * away[~same].mean()
    np.testing.assert_array_equal(labels, cluster(LAT, LON))
    assert cluster([1.0] * 30, [2.0] * 30).max() == 0, "all at one place"


def test_flips_of_single_basins_are_the_signed_rank_test():
    d = RNG.normal(0.3, 1, 12)
    for side in ("greater", "less", "two-sided"):
        assert sign_flips.p_value(d, np.arange(12), side) == pytest.approx(signed_rank.p_value(d, side).p)
    many = RNG.normal(0.2, 1, 30)
    plain = signed_rank.p_value(many, "greater").p
    assert sign_flips.p_value(many, np.arange(30), "greater") == pytest.approx(plain, abs=4 * np.sqrt(plain / sign_flips.FLIPS))


def test_flips_by_hand():
    d, blocks = np.array([1.0, 2.0, 3.0, -4.0]), np.array([0, 0, 1, 2])
    assert sign_flips.p_value(d, blocks, "greater") == 4 / 8  # sums of blocks 3, 3, -4: 2 and above are 10, 4, 4, 2
    assert sign_flips.p_value(d, blocks, "greater", leakage=4.0) == 4 / 8 == sign_flips.p_value(-d, blocks, "less")
    assert sign_flips.p_value(d, np.array([0, 0, 1, 1]), "two-sided") == 1.0


def test_a_field_is_told_from_noise_and_blocks_leak():
    rng = np.random.default_rng(1)
    lat, lon = rng.uniform(28, 48, 300), rng.uniform(-120, -70, 300)
    field = Field(lat, lon, cluster(lat, lon))
    away = distances(lat, lon)
    root = np.linalg.cholesky(0.8 * np.exp(-away / 400) + 0.2001 * np.eye(300))
    fits = field.fits(rng.normal(size=(20, 300)) @ root.T)
    assert {fit.range_km for fit in fits} <= {200.0, 400.0, 800.0, 1600.0} and np.median([fit.range_km for fit in fits]) == 400
    noise = field.fits(rng.normal(size=(20, 300)))
    assert sum(fit.share > 0 for fit in noise) <= 2
    assert field.shared(Fit(0.0, 0.0)).leakage == 1.0
    leakages = [field.shared(Fit(distance, 0.6)).leakage for distance in (50.0, 200.0, 800.0)]
    assert 1.0 < leakages[0] < leakages[1] < leakages[2]


def test_intervals_go_by_the_longest_range_that_is_possible():
    rng = np.random.default_rng(1)
    lat, lon = rng.uniform(30, 46, 150), rng.uniform(-118, -75, 150)
    field = Field(lat, lon, cluster(lat, lon))
    root = np.linalg.cholesky(np.exp(-distances(lat, lon) / 400) + 1e-9 * np.eye(150))
    wider = []
    for _ in range(20):
        values = root @ rng.normal(size=150)
        wider.append(field.cautious(values).about_mean / field.shared(field.fit(values)).about_mean)
    assert min(wider) >= 1 and max(wider) > 1.1
    nothing = rng.normal(size=150)
    assert field.fit(nothing) == Fit(0.0, 0.0) and field.cautious(nothing).about_mean < 1.5


def test_what_blocks_share():
    alone = shared(np.eye(8))
    assert alone == pytest.approx((1.0, 1.0, 7.0))
    assert shared(np.diag([10.0, 1, 1, 1, 1, 1, 1, 1])).freedom < 3, "one large block"
    together = shared(0.5 * np.eye(8) + 0.5)
    assert together.leakage == pytest.approx(4.5) and together.about_mean == pytest.approx(9.0)


@pytest.mark.parametrize("count", [200, 2000])
def test_fast_estimates_are_near_the_exact_one(count):
    values = RNG.standard_t(3, size=(5, count))
    exact = [signed_rank.shift(row).estimate for row in values]
    assert pseudo_medians(values) == pytest.approx(exact, abs=0.01 * np.subtract(*np.quantile(values, (0.75, 0.25))))
    assert pseudo_medians(np.full((2, 9), 0.3)) == pytest.approx([0.3, 0.3])


def test_the_block_interval_of_independent_basins_is_the_plain_one():
    rng = np.random.default_rng(2)
    d = rng.normal(0.1, 1, 400)
    plain = signed_rank.shift(d)
    found = bootstrap.of_blocks(d, np.arange(400) % 20, plain.estimate, shared(20 * np.eye(20)), rng)
    assert (found.high - found.low) / (plain.high - plain.low) == pytest.approx(1.07, abs=0.4)
    assert (found.low + found.high) / 2 == pytest.approx(plain.estimate)


def test_seeds_that_shift_all_basins_widen_the_interval():
    rng = np.random.default_rng(3)
    offsets, noise = np.array([-0.2, 0.0, 0.2])[:, None], rng.normal(0, 0.05, (2, 3, 80))
    narrow = bootstrap.of_seeds(noise[0] + 0.1, noise[1], 0.1, rng)
    wide = bootstrap.of_seeds(noise[0] + 0.1 + offsets, noise[1], 0.1, rng)
    assert narrow.better < 0.02 and wide.better == pytest.approx(0.2, abs=0.03) and wide.than < 0.02
    assert wide.interval.low < -0.1 and 0.05 < narrow.interval.low
    single = bootstrap.of_seeds(noise[0][:1], noise[1], 0.0, rng)
    assert single.better == 0.0


def test_needed_basins():
    d = np.random.default_rng(5).normal(0.3, 1, 50_000)
    found = power.needed(d, "greater")
    assert found == pytest.approx(
        (stats.norm.isf(0.05) + stats.norm.ppf(0.8)) ** 2 / 3 / (stats.norm.cdf(0.3 * np.sqrt(2)) - 0.5) ** 2, rel=0.1
    )
    assert power.needed(d, "less") is None and power.needed(d, "two-sided") > found and power.needed(np.ones(1), "greater") is None
    assert power.needed(np.ones(9), "greater") == 9
    small = np.array([-2.0, 0.0, 1.0, 2.0, 3.0])
    pairs = [np.sign(a + b) / 2 + 0.5 for at, a in enumerate(small) for b in small[:at]]
    assert power.together_positive(small) == pytest.approx(np.mean(pairs))


def test_friedman_is_that_of_scipy_and_cliques_are_maximal():
    losses = np.round(RNG.normal(size=(30, 4)) + [0, 0.2, 0.4, 2], 1)
    found = ranks.friedman(losses)
    expected = stats.friedmanchisquare(*losses.T)
    assert (found.statistic, found.p) == pytest.approx((expected.statistic, expected.pvalue))
    assert found.critical == pytest.approx(2.569 * np.sqrt(4 * 5 / (6 * 30)), rel=1e-3)  # q of Demsar (2006), Table 5
    assert ranks.cliques(np.array([3.0, 1.0, 1.4, 1.8]), 0.5) == [(1, 2), (2, 3)]
    assert ranks.cliques(np.array([1.0, 2.0]), 0.5) == [] and ranks.friedman(np.ones((5, 3))).p == 1.0


def scores(shift: float, seeds: int = 1) -> tuple[pd.DataFrame, pd.DataFrame]:
    names = [f"{basin:02d}" for basin in range(60)]
    rng = np.random.default_rng(8)
    skill = rng.normal(0.6, 0.1, 60)
    rows = [
        pd.DataFrame({"arm": arm, "basin": names, "seed": seed, "kge": skill + (shift if arm == "a" else 0) + rng.normal(0, 0.05, 60)})
        for arm in "ab"
        for seed in range(seeds)
    ]
    places = pd.DataFrame({"basin": names, "lat": LAT, "lon": LON, "huc_02": [f"{at % 9:02d}" for at in range(60)], "wet": LON})
    return pd.concat(rows, ignore_index=True), places


A_BETTER = Question("a", "b", "kge", "larger")


def test_a_comparison_in_space():
    table, places = scores(0.05, seeds=2)
    (found,), (again,) = (compare(table, [A_BETTER], places=places) for _ in range(2))
    assert found == again, "the same numbers each time"
    assert found.blocked.kind == "clusters of coordinates" and found.blocked.n == 60 and found.blocked.count <= 12
    assert found.blocked.p_value < 0.05 and found.blocked.ci_low < found.hodges_lehmann < found.blocked.ci_high and not found.disagrees
    assert found.p_one_sided == found.p_value < found.p_two_sided
    assert (found.margin, found.wins_by_margin + found.equivalent + found.losses_by_margin) == (0.01, 60)
    assert found.seeds.seeds_better == 2 and found.seeds.ci_low < found.hodges_lehmann < found.seeds.ci_high
    assert compare(table, [A_BETTER], margin={"kge": 10.0})[0].equivalent == 60
    (regions,) = compare(table, [A_BETTER], places=places, blocks="huc_02")
    assert (regions.blocked.kind, regions.blocked.count) == ("huc_02", 9)
    (unplaced,) = compare(table, [A_BETTER], places=places.assign(lat=np.nan))
    assert unplaced.blocked.kind == "huc_02" and unplaced.blocked.range_km is None


def test_no_blocks_say_why():
    table, places = scores(0.05)
    (found,) = compare(table, [A_BETTER], places=places.head(12).drop(columns="huc_02"))
    assert found.blocked is None and found.not_blocked == "2 blocks by coordinates, at least 6 blocks are required"
    with pytest.raises(DataError, match="unknown column of regions 'huc'; did you mean `huc_02`"):
        Places(places, "huc")


def test_a_difference_of_one_region_is_not_shown_by_blocks():
    table, places = scores(0.0)
    east = places.loc[places["lon"] > -95, "basin"]
    one = (table["arm"] == "a") & table["basin"].isin(east)
    table.loc[one, "kge"] += 0.2
    (found,) = compare(table, [A_BETTER], places=places)
    assert found.p_holm < 1e-4 and found.blocked.p_value > 0.05 and found.disagrees
    assert found.blocked.leakage > 1.2 and found.blocked.effective < 30


def test_the_worst_case_of_what_was_left_out():
    table, _ = scores(0.05)
    full = compare(table, [A_BETTER])[0]
    assert full.worst_p is None
    found = compare(table.drop(table.index[table["arm"].eq("b")][:6]), [A_BETTER])[0]
    assert found.n_dropped == 6 and found.p_value < found.worst_p and found.worst_shift < found.hodges_lehmann
    lost = compare(table.drop(table.index[table["arm"].eq("b")][:40]), [A_BETTER])[0]
    assert lost.worst_p > 0.9 and lost.worst_shift is None


def test_strata_and_overview():
    table, places = scores(0.05)
    groups = terciles(pd.Series(places["wet"].to_numpy(), index=places["basin"]))
    found = by_group(table, A_BETTER, groups)
    assert found["n"].tolist() == [20, 20, 20] and found["group"].str.startswith("≤").tolist() == [True, False, False]
    (first,) = compare(table[table["basin"].isin(groups.index[groups.cat.codes == 0])], [A_BETTER])
    assert found["p_value"][0] == first.p_value and (found["p_bh"] >= found["p_value"]).all()
    assert terciles(pd.Series([0.0, 0, 0, 0, 5])).cat.categories.tolist() == ["≤ 0", "> 0"] and terciles(pd.Series([np.nan])).isna().all()
    third = table[table["arm"] == "b"].assign(arm="c").iloc[1:]
    ranked = overview(pd.concat([table, third]), "kge", ["a", "b", "c"])
    assert list(ranked.mean_ranks)[0] == "a" and (ranked.n, ranked.n_dropped, ranked.cliques) == (59, 1, (("b", "c"),))
    assert overview(table, "kge", ["a"]) is None and overview(table, "kge", ["a", "none"]) is None


def test_why_there_are_no_blocks():
    basins = [f"b{i}" for i in range(12)]
    near = pd.DataFrame({"basin": basins, "lat": 45.0, "lon": [5.0 + i % 2 for i in range(12)], "huc_02": None, "continent": "Europe"})
    assert Places(near).of(basins) == "2 blocks by coordinates and 1 block by continent, at least 6 blocks are required"
    assert Places(near.assign(lat=np.nan, continent=None)).of(basins) == (
        "coordinates, huc_02, continent not known of all basins, at least 6 blocks are required"
    )
