import io

import numpy as np
import pandas as pd
import pytest

from studyhub.report.tables import Column, Table, best, decimals, frame, probability, significant, text, whole


def table(**changes) -> Table:
    columns = (Column("arm", "arm"), Column("kge", "KGE ↑", "", decimals(3)), Column("rmse", "RMSE ↓", "mm/d", significant(2)))
    data = pd.DataFrame({"arm": ["a_b", "50 % & more"], "kge": [0.93249, np.nan], "rmse": [0.0314159, 1234.5], "hidden": [1, 2]})
    return Table(**({"name": "t", "title": "T", "caption": "C", "columns": columns, "data": data} | changes))


@pytest.mark.parametrize(
    ("show", "value", "shown"),
    [
        (decimals(3), 0.93249, "0.932"),
        (decimals(1), -19.06, "−19.1"),
        (decimals(1), -0.04, "0.0"),
        (decimals(1), np.nan, "–"),
        (significant(3), 0.012345, "0.0123"),
        (significant(3), 1234.5, "1234"),
        (significant(3), 0.0, "0"),
        (significant(2), -0.00123, "−0.0012"),
        (probability, 1e-9, "1e-9"),
        (probability, 0.00123, "0.0012"),
        (probability, 0.5, "0.50"),
        (probability, None, "–"),
        (whole, 3366144, "3\u202f366\u202f144"),
        (text, None, "–"),
        (text, "", ""),
    ],
)
def test_how_values_are_shown(show, value, shown):
    assert show(value) == shown


def test_csv_keeps_full_precision_and_names_units():
    read = pd.read_csv(io.StringIO(table().csv()))
    assert read.columns.tolist() == ["arm", "kge", "rmse [mm/d]"]
    assert read["kge"][0] == 0.93249 and np.isnan(read["kge"][1]) and read["arm"].tolist() == ["a_b", "50 % & more"]


def test_latex_escapes_what_latex_reads_as_commands():
    shown = table(best=frozenset({(0, "kge")})).latex()
    assert r"a\_b & \textbf{0.932} & 0.031 \\" in shown
    assert r"50 \% \& more & -- & 1234 \\" in shown
    assert r"\begin{tabular}{lrr}" in shown and "hidden" not in shown
    assert "RMSE" in shown and "mm/d" in shown


def test_every_special_character_is_escaped_once():
    data = pd.DataFrame({"arm": ["\\ { } $ & # _ % ~ ^ < > − – → ↑ ↓"]})
    line = Table("t", "T", "", (Column("arm", "arm"),), data).latex().splitlines()[5]
    escapes = r"\textbackslash{} \{ \} \$ \& \# \_ \% \textasciitilde{} \textasciicircum{} $<$ $>$ $-$ -- $\to$ $\uparrow$ $\downarrow$ \\"
    assert line == escapes


def test_best_looks_at_the_direction():
    data = pd.DataFrame({"nse": [0.5, 0.7], "rmse": [0.2, 0.1], "one": [1.0, np.nan], "equal": [1.0, 1.0]})
    marks = best(data, {"nse": "larger", "rmse": "smaller", "one": "larger", "equal": "larger"})
    assert marks == {(1, "nse"), (1, "rmse"), (0, "equal"), (1, "equal")}


def test_a_table_without_rows_has_its_columns():
    columns = table().columns
    empty = table(data=frame([], columns))
    assert empty.rows() == [] and empty.csv() == "arm,kge,rmse [mm/d]\n" and r"\midrule" in empty.latex()


def test_of_a_long_table_the_page_shows_the_first_rows_and_its_csv_has_all():
    long = Table("t", "T", "C.", (Column("n", "n"),), pd.DataFrame({"n": range(30)}), most=20)
    assert len(long.rows()) == 20 and long.csv().count("\n") == 31
    assert long.told == "C. Shown are the first 20 of 30 rows; the CSV has all." and long.told in long.latex()
    assert Table("t", "T", "C.", long.columns, long.data.head(20), most=20).told == "C."
