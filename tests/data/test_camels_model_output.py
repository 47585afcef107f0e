from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from studyhub import cli
from studyhub.data.camels_model_output import HEADER, ingest
from studyhub.data.camels_us import find
from studyhub.data.long_table import read as read_table
from studyhub.errors import DataError
from studyhub.study.settings import Columns, Period

START = date(1999, 12, 30)


def write(folder: Path, basin: str, seed: str, values: list[float], *, start: date = START, header: str = " ".join(HEADER)) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{basin}_{seed}_model_output.txt"
    days = [start + timedelta(days=i) for i in range(len(values))]
    rows = [f"{day:%Y %m %d} 12   0.0 0.0 0.0 8.6 2.6 1.8   {value:.7f}   9.9" for day, value in zip(days, values, strict=True)]
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


@pytest.fixture
def raw(tmp_path) -> Path:
    folder = tmp_path / "raw"
    write(folder / "17", "17000003", "48", [5.0, 6.0])
    write(folder / "01", "01000001", "48", [3.0, 5.0, 0.0])
    write(folder / "01", "01000001", "05", [1.0, 2.0, 0.0])
    return folder


def test_the_mean_over_seeds_in_the_order_of_basins(raw, tmp_path):
    told = []
    written = ingest(raw, tmp_path / "new" / "t.parquet", progress=lambda *step: told.append(step))
    table = pd.read_parquet(tmp_path / "new" / "t.parquet")
    assert table["basin"].tolist() == ["01000001"] * 3 + ["17000003"] * 2
    assert table["qsim"].tolist() == [2.0, 3.5, 0.0, 5.0, 6.0]
    assert table["date"].tolist()[:3] == [START, date(1999, 12, 31), date(2000, 1, 1)]
    assert (written.basins, written.seeds) == (("01000001", "17000003"), ("05", "48"))
    assert written.period == Period(START, date(2000, 1, 1))
    assert told == [(1, 2, "01000001"), (2, 2, "17000003")]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["t.parquet"]


def test_one_seed_may_be_named(raw, tmp_path):
    assert ingest(raw, tmp_path / "t.parquet", seed="48").seeds == ("48",)
    assert pd.read_parquet(tmp_path / "t.parquet")["qsim"].tolist() == [3.0, 5.0, 0.0, 5.0, 6.0]


def test_what_is_written_is_what_a_study_reads(raw, tmp_path):
    ingest(raw, tmp_path / "t.parquet")
    found = read_table(tmp_path / "t.parquet", Columns(), ("17000003", "01000001"), Period(START, date(1999, 12, 31)))
    assert found.qsim.tolist() == [[5.0, 6.0], [2.0, 3.5]]


def more(basin: str = "01000001", seed: str = "11", values: tuple[float, ...] = (1.0, 1.0, 1.0), below: str = ".", **options: str):
    return lambda raw: write(raw / below, basin, seed, list(values), **options)


@pytest.mark.parametrize(
    ("change", "seed", "words"),
    [
        (lambda raw: None, "05", "no file of seed '05' for basin 17000003; there are seeds 05, 48"),
        (more(seed="05", below="maurer"), None, "basin 01000001 has two files of seed 05, .*name the folder of one"),
        (more(values=(1.0, 1.0)), None, r"_11_.*: the days 1999-12-30\.\.2000-01-01 of .* are required"),
        (more(values=(1.0, -0.5, 0.0)), None, r"_11_model_output\.txt:3: MOD_RUN must be at least 0 mm/d, got -0\.5"),
        (more(values=(1.0, np.nan, 0.0)), None, r"_11_model_output\.txt:3: a number is required in field 11"),
        (more(header="YR MNTH"), None, r"_11_model_output\.txt:1: the columns YR MNTH DY HR .* required"),
        (lambda raw: (raw / "mean_model_output.txt").write_text(""), None, "a name such as 13331500_05_model_output.txt"),
    ],
)
def test_wrong_files_are_one_message_and_leave_no_table(raw, tmp_path, change, seed, words):
    change(raw)
    with pytest.raises(DataError, match=words):
        ingest(raw, tmp_path / "t.parquet", seed=seed)
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_a_folder_without_such_files(tmp_path):
    with pytest.raises(DataError, match="are required in this folder or below it, there are none"):
        ingest(tmp_path, tmp_path / "t.parquet")


def test_a_table_that_cannot_be_written(raw, tmp_path):
    with pytest.raises(DataError, match=r"cannot be written .* name another file with --out"):
        ingest(raw, raw)


def test_the_verb_says_what_it_wrote(raw, tmp_path, capsys):
    out = tmp_path / "t.parquet"
    assert cli.main(["ingest", "model-output", str(raw), "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}: 2 basins, 1999-12-30..2000-01-01, mean of seeds 05, 48\n"
    assert cli.main(["ingest", "model-output", str(raw), "--out", str(out), "--seed", "48"]) == 0
    assert capsys.readouterr().out == f"{out}: 2 basins, 1999-12-30..2000-01-01, seed 48\n"
    assert cli.main(["ingest", "model-output", str(raw), "--out", str(out), "--seed", "5"]) == 2
    assert capsys.readouterr().err.startswith("studyhub: ")


def test_real_sac_sma_is_in_mm_per_day(real_camels, tmp_path):
    """The observed discharge in these files is that of the discharge files over the area in the forcing file's header."""
    written = ingest(real_camels / "model_output", tmp_path / "t.parquet")
    assert (written.basins, written.seeds) == (("13331500",), ("05", "48", "94"))
    path = next(real_camels.rglob("13331500_05_model_output.txt"))
    beside = pd.read_csv(path, sep=r"\s+")
    (basin,) = find(real_camels).read(["13331500"])
    first = (written.period.start - basin.start).days
    qobs = np.asarray(basin.series["qobs"])[first : first + len(beside)]
    np.testing.assert_allclose(beside["OBS_RUN"], qobs, atol=1e-4)
    simulated = pd.read_parquet(tmp_path / "t.parquet")["qsim"]
    assert np.corrcoef(simulated, qobs)[0, 1] > 0.85
    assert 0.8 < simulated.mean() / qobs.mean() < 1.2
