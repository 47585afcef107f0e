import numpy as np
import pandas as pd
import pytest

from studyhub.catalog import METRICS
from studyhub.report import page, strata
from studyhub.report.collect import collect
from studyhub.report.drawn import Drawing
from studyhub.stats.summary import per_basin

BASINS = tuple(f"0{i:02d}" for i in range(12))
FACTS = {b: {"gauge_lat": 40 + i, "gauge_lon": -70 - i, "climate_group": ("cold", "arid")[i % 2]} for i, b in enumerate(BASINS)}


def drawing(toy, attributes=None):
    toy.write(facts=FACTS).end()
    if attributes is not None:
        pd.DataFrame({"basin": BASINS} | attributes).to_parquet(toy.store.study_folder("toy") / "basins.parquet", index=False)
    results = collect(toy.store, "toy")
    return results, Drawing(results, per_basin(results.scores, list(METRICS)), [])


def test_climate_groups_and_thirds_by_aridity(toy):
    results, drawn = drawing(toy, {"aridity": np.linspace(0.5, 2, 12)})
    (found,) = page.with_figures([strata.section(results, drawn)])
    table = found.tables[0].data
    assert table["kind"].tolist() == ["climate group"] * 2 + ["aridity (PET/P)"] * 3
    assert table["basins"].tolist() == [6, 6, 4, 4, 4]
    assert table["group"].tolist()[2:] == ["≤ 1", "1 to 1.5", "> 1.5"]
    mean = drawn.flat.set_index(["arm", "basin"])["kge"].unstack("arm")
    assert table["arm implicit"][2] == pytest.approx(mean["implicit"][list(BASINS[:4])].median())
    assert [figure.name for figure in found.figures] == ["boxes_nse", "boxes_kge", "boxes_aridity_kge"]


def test_where_nothing_is_known_there_is_no_section(toy):
    toy.write(facts={}).end()
    results = collect(toy.store, "toy")
    assert strata.section(results, Drawing(results, per_basin(results.scores, list(METRICS)), [])).empty


def test_an_attribute_that_is_the_same_everywhere_tells_nothing_apart(toy):
    results, _ = drawing(toy, {"aridity": 1.0, "frac_snow": [0.0] * 8 + [0.1, 0.2, 0.3, 0.4]})
    assert [stratum.key for stratum in strata.strata(results)] == ["climate", "frac_snow"]
