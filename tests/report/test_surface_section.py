"""The section of surfaces, from the file that ``studyhub surface`` writes."""

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
from drawings import HOSTILE, hovers, parsed, texts

from studyhub.physics.structure import Parameter
from studyhub.report import figures, surface
from studyhub.report.collect import collect
from studyhub.report.drawing.svg import themed
from studyhub.report.figures import Plane
from studyhub.report.page import with_figures

FC, BETA = Parameter("FC", "field capacity", "mm", 50.0, 1000.0), Parameter("BETA", "shape of recharge", "-", 1.0, 6.0)
PLANE = Plane(FC, BETA, "kge")
OFFSETS = np.array([-0.2, -0.1, 0.0, 0.1, 0.2])


def points(arm="implicit", basin="000", best=(0.1, -0.2), trial="0" * 16, **known) -> pd.DataFrame:
    """A hill whose top lies at some offset."""
    rows = []
    for dx, dy in product(OFFSETS, OFFSETS):
        score = 0.9 - 2 * np.hypot(dx - best[0], dy - best[1])
        rows.append({"x": 300 + 950 * dx, "y": 3 + 5 * dy, "dx": dx, "dy": dy, "score": score, "diverged": False})
    cell = {"arm": arm, "basin": basin, "trial": trial, "fold": 1, "seed": 1, "x_parameter": "FC", "y_parameter": "BETA", "metric": "kge"}
    return pd.DataFrame(rows).assign(**cell | known)


def test_a_panel_for_each_arm_and_basin_with_the_learned_and_the_best_point():
    table = pd.concat([points(arm, basin) for arm in ("a", "b") for basin in ("000", "001")])
    figure = figures.surfaces(table, PLANE, ["a", "b"], ["000", "001"])
    said = texts(figure)
    assert said.count("0.45 → 0.90") == 4 and {"a", "b", "Basin 000", "Basin 001", "FC (mm)", "BETA", "KGE (-)"} <= set(said)
    assert hovers(figure)[:2] == [
        "a, basin 000, best: FC 395, BETA 2, KGE 0.9",
        "a, basin 000, as learned: FC 300, BETA 3, KGE 0.453",
    ]
    assert figure.name == "surface_fc_beta_kge_1" and len(figure.data) == 100 and {"FC (mm)", "BETA", "kge"} <= set(figure.data)
    assert "One offset" in figure.caption and "within 50 to 1000 mm and 1 to 6" in figure.caption and "diverged" not in figure.caption
    assert "<image" not in figure.svg and len(figure.svg) < 100_000 and themed(figure.svg)


@pytest.mark.parametrize(
    ("metric", "score", "best"),
    [
        ("rmse", lambda d: 1 + d, "1.00 → 1.00"),
        ("kge_beta", lambda d: 1.3 - d, "1.30 → 1.02"),
        ("bias", lambda d: 40 * d - 4, "−4.00 → 0.00"),
    ],
)
def test_the_best_is_what_the_metric_calls_so(metric, score, best):
    distance = np.hypot(points()["dx"], points()["dy"])
    table = points(metric=metric).assign(score=score(distance.to_numpy()))
    assert best in texts(figures.surfaces(table, replace(PLANE, metric=metric), ["implicit"], ["000"]))


def test_points_without_a_score_are_marked_and_counted():
    table = points()
    lost = table["dx"] < -0.15
    table = table.assign(score=table["score"].where(~lost), diverged=lost)
    figure = figures.surfaces(table, PLANE, ["implicit"], ["000"])
    assert "At 5 of 25 points a store has diverged: no score." in figure.caption and "a store has diverged" in texts(figure)
    assert "0.45 → 0.90" in texts(figure)


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_text(name):
    figure = figures.surfaces(points(arm=name, basin=name), PLANE, [name], [name])
    assert parsed(figure) is not None and "<script>" not in figure.svg


def test_flat_and_empty_surfaces():
    flat = points().assign(score=0.5)
    assert "0.50 → 0.50" in texts(figures.surfaces(flat, PLANE, ["implicit"], ["000"]))
    assert figures.surfaces(points().assign(score=np.nan, diverged=True), PLANE, ["implicit"], ["000"]) is None
    line = points().query("dx == 0")
    assert figures.surfaces(line, PLANE, ["implicit"], ["000"]) is not None
    both = pd.concat([points("a", "000"), points("b", "001"), points("b", "000").assign(score=np.nan, diverged=True)])
    said = texts(figures.surfaces(both, PLANE, ["a", "b"], ["000", "001"]))
    assert said.count("not computed") == 1 and said.count("no score") == 1


def of(toy, *tables: pd.DataFrame):
    pd.concat(tables).to_parquet(toy.store.study_folder("toy") / "surfaces.parquet")
    (section,) = with_figures([surface.section(collect(toy.store, "toy"))])
    return section


def test_a_study_without_surfaces_has_no_such_section(toy):
    toy.write().end()
    assert surface.section(collect(toy.store, "toy")).empty
    (toy.store.study_folder("toy") / "surfaces.parquet").write_bytes(b"nothing")
    assert surface.section(collect(toy.store, "toy")).empty


def test_the_section_has_what_belongs_to_the_study(toy):
    toy.write().end()
    trials = {cell.arm: cell.trial for cell in reversed(toy.cells)}
    tables = [points(arm, basin, trial=trials[arm]) for arm in ("implicit", "sequential") for basin in ("003", "001")]
    section = of(toy, *tables, points(trial="f" * 16), points("gone"))
    assert section.title == "KGE surface" and not section.notes
    (figure,), (table,) = section.figures, section.folded
    assert len(figure.data) == 100 and "One training of each arm (seed 1)." in figure.caption
    assert [arm for arm in texts(figure) if arm in trials] == ["sequential", "implicit"]
    assert [basin for basin in texts(figure) if basin.startswith("Basin")] == ["Basin 003", "Basin 001"]
    assert table.data["arm"].tolist() == ["sequential", "sequential", "implicit", "implicit"]
    row = table.data.iloc[0]
    assert (row["x"], row["x_best"], row["y_best"], row["points"], row["diverged"]) == (300, 395, 2, 25, 0)
    assert row["score_best"] == pytest.approx(0.9) and row["x_parameter"] == "FC, mm"


@pytest.mark.parametrize(("arms", "basins", "points_drawn"), [(5, 1, [100, 25]), (1, 7, [150, 25])])
def test_many_arms_and_basins_come_in_several_drawings(toy, arms, basins, points_drawn):
    names = tuple(f"a{i}" for i in range(arms))
    toy.write(arms=names, seeds=(1,), claims=()).end()
    trials = {cell.arm: cell.trial for cell in toy.cells}
    section = of(toy, *(points(arm, basin, trial=trials[arm]) for arm in names for basin in toy.basins[:basins]))
    assert [len(figure.data) for figure in section.figures] == points_drawn
    assert [figure.name[-1] for figure in section.figures] == ["1", "2"]


def test_planes_of_other_parameters_and_metrics(toy):
    toy.write(seeds=(1,)).end()
    trial = toy.cells[1].trial
    names = ("FC", "K0", "K1", "K2", "LP", "PERC")
    tables = [points(trial=trial, x_parameter=name, metric="nse") for name in names]
    section = of(toy, *tables, points(trial=trial, x_parameter="not one"))
    assert section.title == "Surfaces of scores" and len(section.figures) == 4 and "2 more pairs of parameters" in section.notes[0]
    assert section.figures[1].title == "NSE over K0 and BETA"
