import json

import pandas as pd
import pytest
from drawings import marks, texts

from studyhub.report import split
from studyhub.report.collect import collect
from studyhub.report.page import with_figures
from studyhub.report.render import report

BASINS = tuple(f"0{i:02d}" for i in range(12))
FOLDS = {"Europe": BASINS[:4], "Asia, south": BASINS[4:9]}
FLAGGED = {
    basin: {"gauge_lat": 40 + i, "gauge_lon": -70 - i, "flagged": ["spikes", "hot"] if i == 0 else ["spikes"] if i < 3 else []}
    for i, basin in enumerate(BASINS)
}


def found(toy):
    (section,) = with_figures([split.section(collect(toy.store, "toy"))])
    return section


def test_the_map_says_where_each_basin_is_tested(toy):
    (figure,) = found(toy.write(folds=FOLDS)).figures
    groups = figure.data.set_index("basin")["group"]
    assert [groups[basin] for basin in BASINS] == ["Europe"] * 4 + ["Asia, south"] * 5 + ["trains only"] * 3
    colours = marks(figure)
    assert len(set(colours.values())) == 3
    assert colours["basin 011: trains only"] == "#b3bac1"  # grey
    assert {"Europe (4)", "Asia, south (5)", "trains only (3)"} <= set(texts(figure))
    assert "tested: 12 basins." in figure.caption


def test_with_one_fold_the_map_says_what_a_basin_does_in_it(toy):
    (figure,) = found(toy.write(folds={"all": BASINS[:9]})).figures
    assert figure.data["group"].value_counts().to_dict() == {"trains and is tested": 9, "trains only": 3}


def test_a_basin_of_several_folds_is_none_of_theirs(toy):
    (figure,) = found(toy.write(folds={"a": BASINS[:6], "b": BASINS[4:]})).figures
    assert figure.data["group"].value_counts().to_dict() == {"b": 6, "a": 4, "tested in several folds": 2}


def test_folds_periods_hash_and_basins_left_out(toy):
    out = ({"role": "test", "reason": "observed for less than 2 years", "basins": ["x1", "x2"]},)
    section = found(toy.write(folds=FOLDS, left_out=out))
    folds, left = section.tables
    assert folds.rows()[1] == ["2", "Asia, south", "7", "1986-10-01..1991-09-30", "5", "1993-10-01..1995-09-30"]
    assert left.rows() == [["test", "observed for less than 2 years", "2", "x1, x2"]]
    kept = json.loads((toy.store.study_folder("toy") / "data.json").read_text())["split"]["hash"]
    assert section.notes == (
        "Kind of split: pub (prediction in ungauged basins: random folds of basins, each held out once). "
        f"Lists of basins and periods: split.csv of the study, hash {kept}.",
    )


def test_flagged_basins_are_counted_by_check(toy):
    notes = found(toy.write(folds=FOLDS, facts=FLAGGED)).notes
    assert notes[1] == "Quality: 3 of 12 basins of the study are flagged by at least one check: spikes 3, hot 1."
    clean = {basin: known | {"flagged": []} for basin, known in FLAGGED.items()}
    assert found(toy.write(folds=FOLDS, facts=clean)).notes[1] == "Quality: 0 of 12 basins of the study are flagged by at least one check."


def test_pet_of_two_kinds_is_told(toy):
    facts = {basin: {"pet_method": "oudin" if i else "given", "dataset": "france"} for i, basin in enumerate(BASINS)}
    assert found(toy.write(folds=FOLDS, facts=facts)).notes[-1].startswith("PET is as france gives it in 1 basin, by Oudin in 11 basins: ")


def test_lists_that_were_changed_are_told_and_not_drawn(toy):
    path = toy.write(folds=FOLDS).store.study_folder("toy") / "split.csv"
    path.write_text(path.read_text().replace("Europe,test,003", "Europe,test,011"))
    section = found(toy)
    assert section.figures == () and "it is not what the study was launched with" in section.notes[0]
    path.write_bytes(b"\xff\xfe nonsense")
    assert found(toy).figures == () and len(found(toy).tables) == 1


def test_medians_of_each_fold_and_their_spread(toy):
    results = collect(toy.write(folds=FOLDS).end().store, "toy")
    (spread,), (by_fold,) = split.scores(results)
    assert by_fold.data[["arm", "fold", "basins"]].to_numpy().tolist() == [
        ["sequential", "Europe", 4],
        ["sequential", "Asia, south", 5],
        ["implicit", "Europe", 4],
        ["implicit", "Asia, south", 5],
    ]
    rows = results.scores.loc[(results.scores["arm"] == "implicit") & (results.scores["fold"] == 2)]
    expected = rows.groupby("basin")["kge"].mean().median()  # seeds first
    assert by_fold.data["kge"][3] == pytest.approx(expected)
    row = spread.data.set_index(["arm", "metric"]).loc[("implicit", "KGE")]
    assert (row["low_fold"], row["high_fold"], row["folds"]) == ("Europe", "Asia, south", 2)
    both = [by_fold.data["kge"][2], expected]
    assert row["mean"] == pytest.approx(sum(both) / 2) and row["deviation"] == pytest.approx(abs(both[0] - both[1]) / 2**0.5)


def test_one_fold_has_no_scores_by_fold(toy):
    assert split.scores(collect(toy.write(folds=FOLDS).store, "toy")) == ((), ())
    assert split.scores(collect(toy.write().end().store, "toy")) == ((), ())


def test_the_page_holds_the_split_as_data_and_an_old_study_has_a_page_without(toy, tmp_path):
    page = report(toy.write(folds=FOLDS).end().store, "toy", tmp_path / "out")
    text = page.read_text(encoding="utf-8")
    assert 'id="figure-map_split"' in text and 'id="table-spread_of_folds"' in text and 'id="table-medians_by_fold"' in text
    assert len(pd.read_csv(page.parent / "figures" / "map_split.csv")) == 12
    assert len(pd.read_csv(page.parent / "tables" / "folds.csv")) == 2
    (toy.store.study_folder("toy") / "split.csv").unlink()
    old = report(toy.write().store, "toy", tmp_path / "old").read_text(encoding="utf-8")
    assert 'id="split"' not in old and "map_split" not in old
