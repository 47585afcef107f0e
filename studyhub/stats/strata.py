"""The same question in groups of basins, and all arms of a table at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from studyhub.catalog import METRICS, Direction
from studyhub.stats import ranks
from studyhub.stats.compare import Margins, explore_among
from studyhub.stats.comparison import Question
from studyhub.stats.families import benjamini_hochberg
from studyhub.stats.paired import Table

COLUMNS = ("n", "n_dropped", "hodges_lehmann", "ci_low", "ci_high", "share_won", "rank_biserial", "p_value", "p_bh")


@dataclass(frozen=True)
class Friedman:
    """All arms ranked in the basins that all of them have; see `ranks`.

    Parameters
    ----------
    metric : what they are ranked by
    n, n_dropped : basins that all arms have, and those that some lack
    mean_ranks : arm -> mean rank, 1 the best, in the order of ranks
    statistic, p_value : of Friedman's test
    critical_difference : of mean ranks, by Nemenyi's test at 5 %
    cliques : arms that it does not tell apart
    """

    metric: str
    n: int
    n_dropped: int
    mean_ranks: dict[str, float]
    statistic: float
    p_value: float
    critical_difference: float
    cliques: tuple[tuple[str, ...], ...]


def overview(scores: pd.DataFrame, metric: str, arms: Sequence[str], direction: Direction | None = None) -> Friedman | None:
    """Rank arms over basins; None where there are not two arms and two basins that all of them have.

    Parameters
    ----------
    scores : as `compare.compare` takes them
    direction : what is better; None: as the catalog says
    """
    arms = list(dict.fromkeys(arms))
    if len(arms) < 2:
        return None
    direction = direction or METRICS[metric].direction
    values = Table(scores).means(arms, metric, direction)
    whole = np.isfinite(values).all(axis=1)
    if np.count_nonzero(whole) < 2:
        return None
    losses = (-values if direction == "larger" else values)[whole]
    found = ranks.friedman(np.round(losses, 12))
    order = np.argsort(found.mean, kind="stable")
    return Friedman(
        metric,
        int(whole.sum()),
        int(np.isfinite(values).any(axis=1).sum() - whole.sum()),
        {arms[at]: float(found.mean[at]) for at in order},
        found.statistic,
        found.p,
        found.critical,
        tuple(tuple(arms[at] for at in clique) for clique in ranks.cliques(found.mean, found.critical)),
    )


def by_group(scores: pd.DataFrame | Table, question: Question, groups: pd.Series, margin: Margins = None) -> pd.DataFrame:
    """Answer a question in each group of basins: exploratory, p adjusted by Benjamini and Hochberg over the groups.

    Parameters
    ----------
    scores : as `compare.compare` takes them, or made ready for many questions
    groups : label of each basin, indexed by basin; basins without one are in no group

    Returns
    -------
    DataFrame
        A row for each group in the order of the labels (of a categorical: its own): group, and of the comparison in it n, n_dropped,
        hodges_lehmann, ci_low, ci_high, share_won, rank_biserial, p_value (on the question's side) and p_bh.
    """
    known = groups.dropna()
    labels = known.cat.categories if isinstance(known.dtype, pd.CategoricalDtype) else sorted(known.unique(), key=str)
    table = scores if isinstance(scores, Table) else Table(scores)
    of = dict(zip(known.index, known.tolist(), strict=True))
    label = np.array([of.get(basin) for basin in table.basins], dtype=object)
    found = [explore_among(table, question, label == one, margin) for one in labels]
    adjusted = benjamini_hochberg([one.p_value for one in found])
    rows = [{"group": str(name)} | {key: vars(one)[key] for key in COLUMNS} for name, one in zip(labels, found, strict=True)]
    answers = pd.DataFrame(rows, columns=["group", *COLUMNS])
    return answers.assign(p_bh=pd.Series(adjusted, dtype=object)).loc[answers["n"] + answers["n_dropped"] > 0].reset_index(drop=True)


def terciles(values: pd.Series) -> pd.Series:
    """Lower, middle and upper third of a number of each basin, as an ordered categorical that names the limits; missing stays missing.

    Where many basins have the same value, there may be fewer groups.
    """
    numbers = np.asarray(pd.to_numeric(values, errors="coerce"), dtype=np.float64)
    known = np.isfinite(numbers)
    limits = np.unique(np.quantile(numbers[known], (1 / 3, 2 / 3))) if known.any() else np.empty(0)
    shown = [f"{limit:.3g}" for limit in limits]
    if len(shown) == 2:
        names = [f"≤ {shown[0]}", f"{shown[0]} to {shown[1]}", f"> {shown[1]}"]
    else:
        names = [f"≤ {shown[0]}", f"> {shown[0]}"] if shown else []
    codes = np.where(known, np.searchsorted(limits, numbers, side="left"), -1)
    return pd.Series(pd.Categorical.from_codes(codes, categories=names, ordered=True), index=values.index, name=values.name)
