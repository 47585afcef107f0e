"""`studyhub compare`: any table in, an answer out."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from studyhub import cli

KEYS = {"p_value", "p_holm", "n", "n_dropped", "median_difference", "hodges_lehmann", "ci_low", "ci_high", "rank_biserial", "share_won"}
RNG = np.random.default_rng(7)
A, B = RNG.normal(0.70, 0.1, 30).round(3), RNG.normal(0.6, 0.1, 30).round(3)


@pytest.fixture
def path(tmp_path) -> Path:
    """30 basins of both arms, one of a alone."""
    path = tmp_path / "published.csv"
    lines = [f"0{basin},{arm},{value},{value}" for arm, values in (("a", A), ("b", B)) for basin, value in enumerate(values)]
    path.write_text("\n".join(["basin,arm,nse,pbias", *lines, "99,a,0.5,0.5"]) + "\n")
    return path


@pytest.fixture
def compare(path, capsys):
    """Return a function that compares a with b in this table and returns exit code, what it printed and what it said on stderr."""

    def run(*options: str, metric: str = "nse", better: str = "a", table: Path = path) -> tuple[int, str, str]:
        code = cli.main(["compare", str(table), "--metric", metric, "--better", better, "--than", "b", *options])
        out = capsys.readouterr()
        return code, out.out, out.err

    return run


def test_the_answer_comes_first_then_the_numbers(compare):
    code, out, err = compare()
    assert (code, err) == (0, "")
    first, empty, *lines = out.splitlines()
    assert first.startswith("a beats b on ") and empty == ""
    assert re.fullmatch(r"basins +30", lines[0]) and re.fullmatch(r"left out: no score of `b` +1", lines[1])
    assert "paired Wilcoxon signed-rank test over basins, one-sided" in out
    assert compare(metric="NSE")[1] == out  # names of columns may differ in capitals


@pytest.mark.parametrize("alternative", ["greater", "less", "two-sided"])
def test_json_holds_what_scipy_finds(compare, alternative):
    code, out, err = compare("--alternative", alternative, "--json")
    assert (code, err) == (0, "")
    found = json.loads(out, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert found.keys() >= KEYS
    assert (found["n"], found["n_dropped"], found["dropped"]) == (30, 1, {"no score of `b`": 1})
    assert found["p_value"] == pytest.approx(stats.wilcoxon((A - B).round(9), zero_method="pratt", alternative=alternative).pvalue)
    assert found["p_holm"] == found["p_value"]
    assert found["ci_low"] < found["hodges_lehmann"] < found["ci_high"]
    assert found["share_won"] == found["wins"] / 30 == np.mean(A > B)
    assert found["sentence"]


def test_json_has_null_where_a_number_is_not_defined(compare, path):
    path.write_text("basin,arm,nse\n1,a,0.5\n2,b,nan\n2,a,0.1\n")
    code, out, _ = compare("--json")
    found = json.loads(out, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert code == 0
    assert found["n"] == 0 and found["n_dropped"] == 2
    assert {found[key] for key in KEYS - {"n", "n_dropped"}} == {None}
    assert compare()[1].startswith("not shown: no basin has a defined NSE of both a and b.\n\nbasins")


def test_directions(compare):
    assert json.loads(compare("--json", "--direction", "smaller")[1])["wins"] == np.sum(A < B)
    assert json.loads(compare("--json", "--direction", "zero", metric="pbias")[1])["direction"] == "zero"
    code, out, err = compare(metric="pbias")
    assert (code, out) == (2, "")
    assert "pbias" in err and "--direction" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metric": "nsee"}, "unknown column 'nsee'; did you mean `nse`?"),
        ({"better": "aa"}, "unknown arm 'aa'; did you mean `a`?"),
        ({"better": "b"}, "an arm cannot be better than itself: 'b'"),
        ({"table": Path("none.csv")}, "none.csv: there is no such file"),
    ],
)
def test_mistakes_are_one_message(compare, arguments, message):
    code, out, err = compare(**arguments)
    assert (code, out) == (2, "")
    assert err.startswith("studyhub: ") and err.count("\n") == 1 and message in err


def test_options_that_make_no_sense(compare):
    for options in (["--alternative", "more"], ["--direction", "up"]):
        code, out, err = compare(*options)
        assert (code, out) == (2, "") and "Traceback" not in err and options[1] in err


def test_neither_torch_nor_a_scheduler_is_loaded(path):
    program = f"""
import sys
from studyhub.cli import main
code = main(["compare", {str(path)!r}, "--metric", "nse", "--better", "a", "--than", "b"])
sys.exit(code or " ".join({{"torch", "ray", "mlflow", "optuna", "numba", "matplotlib"}} & set(sys.modules)) or 0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def basins(tmp_path) -> Path:
    """Places, regions and wetness of the 30 basins."""
    path = tmp_path / "basins.csv"
    rng = np.random.default_rng(3)
    rows = [f"0{at},{rng.uniform(30, 48):.3f},{rng.uniform(-120, -70):.3f},r{at % 7},{at}" for at in range(30)]
    path.write_text("\n".join(["basin,gauge_lat,gauge_lon,region,wet", *rows]) + "\n")
    return path


def test_places_blocks_margin_and_groups(compare, basins):
    found = json.loads(compare("--basins", str(basins), "--by", "wet", "--margin", "0.03", "--json")[1])
    assert (
        found["blocked"]["kind"] == "clusters of coordinates" and found["blocked"]["n"] == 30 and "spatially blocked p" in found["sentence"]
    )
    assert (found["margin"], found["wins_by_margin"]) == (0.03, np.sum(A - B > 0.03 + 1e-9))
    assert [group["n"] for group in found["groups"]] == [10, 10, 10] and found["groups"][0]["group"] == "≤ 9.67"
    code, out, _ = compare("--basins", str(basins), "--blocks", "region", "--by", "region")
    assert code == 0 and "7 blocks of 30 basins by region" in out and "By region (exploratory" in out and "\nr6 " in out
    assert compare()[1].count("spatially") == 0, "nothing says where basins lie"


def test_columns_of_the_table_itself_say_where_basins_lie(compare, path):
    lines = path.read_text().splitlines()
    zones = [f"{line},z{int(line.split(',')[0]) % 8}" for line in lines[1:]]
    path.write_text("\n".join([f"{lines[0]},zone", *zones]) + "\n")
    assert "8 blocks of 30 basins by zone" in compare("--blocks", "zone")[1]


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (None, ["--by", "wett"], "basins.csv: unknown column 'wett'; did you mean `wet`?"),
        (None, ["--blocks", "zone"], "what makes blocks: unknown column of regions 'zone'; known: coordinates, region, wet"),
        ("basin,lat\n1,2\n1,3\n", [], "basins.csv: basin 1 stands twice; keep one row for each basin"),
        ("basin,lat,lon\n1,95,3\n", [], "basins.csv: lat of basin 1 must lie within 90 degrees, got 95"),
        ("basin,lat,lon\n1,north,3\n", [], "basins.csv: lat must be a number, got 'north'"),
        ("id,lat\n1,2\n", [], "basins.csv: unknown column 'basin'"),
        ("basin,wet\n1,2\n", ["--blocks", "coordinates"], "blocks of coordinates need the columns lat and lon (degrees); there are none"),
    ],
)
def test_tables_of_basins_that_cannot_be_used(compare, basins, content, options, message):
    if content is not None:
        basins.write_text(content)
    code, out, err = compare("--basins", str(basins), *options)
    assert (code, out) == (2, "") and err.count("\n") == 1 and message in err


def test_all_arms_are_ranked(path, capsys):
    def run(*options: str) -> tuple[int, str, str]:
        code = cli.main(["compare", str(path), "--metric", "nse", *options])
        out = capsys.readouterr()
        return code, out.out, out.err

    code, out, err = run()
    assert (
        (code, err) == (0, "")
        and out.startswith("not shown: that any of the arms differ in NSE over 30 basins (Friedman p = 0.14)")
        and "a has the best mean rank" in out
    )
    assert list(json.loads(run("--json")[1])["mean_ranks"]) == ["a", "b"]
    assert "--than is required too" in run("--better", "a")[2] and "--by goes with two arms" in run("--by", "wet")[2]
    path.write_text("basin,arm,nse\n1,a,0.5\n")
    assert "two arms with a defined nse in the same two basins are required; arms: a" in run()[2]
