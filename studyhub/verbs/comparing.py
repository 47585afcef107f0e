"""What `studyhub compare` does: two arms of a table, or all of them."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from studyhub.catalog import METRICS, Direction
from studyhub.errors import DataError
from studyhub.stats.compare import compare
from studyhub.stats.comparison import Question
from studyhub.stats.phrases import numbers, probability
from studyhub.stats.signed_rank import Alternative
from studyhub.stats.strata import Friedman, by_group, overview, terciles
from studyhub.stats.table import direction_of, places, read_basins, read_scores
from studyhub.stats.wording import details, sentence
from studyhub.study.wording import listed, unknown
from studyhub.verbs.printing import print_columns, print_json

MOST_CODES = 24  # values of a column of numbers that may be codes, such as those of the 18 regions of HUC2
PLACES = ("lat", "lon", "region", "huc_02", "continent")  # any of these says where basins lie


@dataclass(frozen=True)
class Asked:
    """What the command line says beside the arms; see `studyhub compare --help`."""

    table: Path
    metric: str
    direction: Direction | None
    period: str | None
    basins: Path | None
    blocks: str
    margin: float | None
    by: str | None
    as_json: bool


def compare_two(asked: Asked, better: str, than: str, alternative: Alternative) -> None:
    scores = read_scores(asked.table, asked.metric, (better, than), asked.period)
    known = _known(asked, scores.basins)
    question = Question(better, than, scores.metric, direction_of(scores.metric, asked.direction), alternative)
    # Where nothing says where basins lie and nobody asks for blocks, there is nothing to tell of them.
    where = known if asked.blocks != "auto" or any(name in known for name in PLACES) else None
    (found,) = compare(scores.table, [question], places=where, margin=asked.margin, blocks=asked.blocks)
    groups = None if asked.by is None else by_group(scores.table, question, _groups(asked, asked.by, known), asked.margin)
    label, unit = _named(scores.metric)
    if asked.as_json:
        strata = {} if groups is None else {"by": asked.by, "groups": _plain(groups)}
        print_json(asdict(found) | strata | {"unit": unit, "sentence": sentence(found, label, unit)})
        return
    print(sentence(found, label, unit), end="\n\n")
    first, *others = details(found, label, unit)
    print_columns(first, others)
    if groups is not None:
        print(f"\nBy {asked.by} (exploratory; p adjusted by Benjamini and Hochberg over the groups)")
        print_columns(("group", "basins", "won", "shift", "95 % interval", "p"), [_row(row) for row in _plain(groups)])


def rank_all(asked: Asked, better: str | None, than: str | None) -> None:
    """Rank all arms of a table, by Friedman's test."""
    if better is not None or than is not None:
        raise DataError(f"{'--than' if than is None else '--better'} is required too: name both arms, or neither to rank all of them")
    for option, given in (("--by", asked.by), ("--basins", asked.basins), ("--margin", asked.margin)):
        if given is not None:
            raise DataError(f"{option} goes with two arms; name them with --better and --than")
    scores = read_scores(asked.table, asked.metric, None, asked.period)
    arms = list(dict.fromkeys(scores.table["arm"]))
    found = overview(scores.table, scores.metric, arms, direction_of(scores.metric, asked.direction))
    if found is None:
        raise DataError(f"{asked.table}: two arms with a defined {scores.metric} in the same two basins are required; arms: {listed(arms)}")
    if asked.as_json:
        print_json(asdict(found))
        return
    print(_told(found, _named(scores.metric)[0]), end="\n\n")
    print_columns(("arm", "mean rank"), [(arm, f"{rank:.2f}") for arm, rank in found.mean_ranks.items()])


def _told(found: Friedman, label: str) -> str:
    best = next(iter(found.mean_ranks))
    apart = "The arms differ" if found.p_value < 0.05 else "not shown: that any of the arms differ"
    alike = "; ".join(" = ".join(clique) for clique in found.cliques)
    same = f" Not told apart: {alike}." if alike else ""
    left = f" Left out, since some arm lacks them: {found.n_dropped}." if found.n_dropped else ""
    return (
        f"{apart} in {label} over {found.n} basins (Friedman p = {probability(found.p_value)}); {best} has the best mean rank. Mean ranks "
        f"that differ by {found.critical_difference:.2f} are told apart (Nemenyi).{same}{left} Name two arms with --better and --than to "
        "compare them."
    )


def _known(asked: Asked, of_table: pd.DataFrame) -> pd.DataFrame:
    return places(asked.table, of_table) if asked.basins is None else read_basins(asked.basins)


def _groups(asked: Asked, by: str, known: pd.DataFrame) -> pd.Series:
    columns = [name for name in known.columns if name != "basin"]
    if by not in columns:
        where = asked.table if asked.basins is None else asked.basins
        hint = (
            unknown("column", by, columns)
            if columns
            else f"it says nothing of basins; give a table of them with --basins, with a column {by}"
        )
        raise DataError(f"{where}: {hint}")
    values = [None if value is None or value != value or str(value).strip() == "" else str(value) for value in known[by].tolist()]
    as_numbers = np.asarray(pd.to_numeric(pd.Series(values, dtype=object), errors="coerce"), dtype=np.float64)
    index = known["basin"].tolist()
    if np.isfinite(as_numbers).sum() == sum(value is not None for value in values) and np.unique(as_numbers).size > MOST_CODES:
        return terciles(pd.Series(as_numbers, index=index))
    return pd.Series(values, index=index, dtype=object)


def _named(metric: str) -> tuple[str, str]:
    known = METRICS.get(metric.lower())
    return (known.label, known.unit) if known else (metric, "-")


def _plain(groups: pd.DataFrame) -> list[dict[str, Any]]:
    rows = groups.astype(object).where(groups.notna(), None).to_dict("records")
    return [{str(key): value for key, value in row.items()} for row in rows]


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    shift, low, high = numbers(row["hodges_lehmann"], row["ci_low"], row["ci_high"])
    won = "-" if row["share_won"] is None else f"{100 * row['share_won']:.0f} %"
    interval = "-" if row["ci_low"] is None else f"{low} to {high}"
    return str(row["group"]), str(row["n"]), won, shift, interval, probability(row["p_bh"])
