"""Which basins trained and which were tested: folds on a map and in tables, basins left out, and how far folds differ."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from studyhub.catalog import METRICS
from studyhub.report import figures
from studyhub.report.beside import Later
from studyhub.report.collect import Results
from studyhub.report.contents import MAIN, metric_column
from studyhub.report.page import Section
from studyhub.report.tables import Column, Table, decimals, frame, whole
from studyhub.stats.summary import medians
from studyhub.study.lists import Frozen
from studyhub.study.wording import listed, mixed_pet

KINDS = {
    "temporal": "time alone divides: basins train and are tested, on other days",
    "pub": "prediction in ungauged basins: random folds of basins, each held out once",
    "pur": "prediction in ungauged regions: regions, each held out once",
    "frozen": "lists of basins as they were imported",
}
BOTH, TEST, TRAIN, SEVERAL = "trains and is tested", "is tested only", "trains only", "tested in several folds"
SPREAD = ("nse", "kge")  # metrics whose medians are compared between folds


def section(results: Results) -> Section:
    """How the study divides its basins; empty where that was not kept."""
    split = results.data.get("split")
    if not split:
        return Section("split", "Split")
    drawn, out = _map(results, split), _left_out(split["left_out"])
    return Section(
        "split",
        "Split",
        (_folds(results, split), *((out,) if len(out.data) else ())),
        drawings=(drawn,) if drawn else (),
        notes=tuple(filter(None, (_told(results, split), _flagged(results), mixed_pet(results.data.get("basins") or {})))),
    )


def scores(results: Results) -> tuple[tuple[Table, ...], tuple[Table, ...]]:
    """How far folds differ, and, to be folded, the scores of each; nothing where there is one fold."""
    by_fold = _by_fold(results)
    return ((_spread(by_fold.data),), (by_fold,)) if len(by_fold.data) else ((), ())


def _told(results: Results, split: Mapping[str, Any]) -> str:
    kind = KINDS.get(split["kind"], "")
    said = f"Kind of split: {split['kind']}{f' ({kind})' if kind else ''}. "
    said += f"Lists of basins and periods: split.csv of the study, hash {split['hash']}."
    if results.lists is not None and results.lists.hash != split["hash"]:
        said += f" That file has hash {results.lists.hash} now: it is not what the study was launched with, and is not drawn."
    return said


def _flagged(results: Results) -> str:
    """Say how many basins of the study quality checks have flagged; empty where no check is on record."""
    basins = results.data.get("basins") or {}
    checked = {basin: known["flagged"] for basin, known in basins.items() if isinstance(known.get("flagged"), list)}
    if not checked:
        return ""
    counts: dict[str, int] = {}
    for checks in checked.values():
        for check in checks:
            counts[check] = counts.get(check, 0) + 1
    some = sum(map(bool, checked.values()))
    by = f": {', '.join(f'{check} {count}' for check, count in sorted(counts.items(), key=lambda item: -item[1]))}" if counts else ""
    return f"Quality: {some} of {len(basins)} basins of the study are flagged by at least one check{by}."


def _map(results: Results, split: Mapping[str, Any]) -> Later | None:
    if results.lists is None or results.lists.hash != split["hash"] or results.basins.empty:
        return None
    groups, grey = _roles(results.lists)
    place = results.basins.assign(group=[groups.get(basin) for basin in results.basins["basin"]]).dropna(subset=["group"])
    place = place.assign(told=[f"basin {basin}: {group}" for basin, group in zip(place["basin"], place["group"], strict=True)])
    order = list(dict.fromkeys(groups.values()))
    order = [*(group for group in order if group not in grey), *(group for group in order if group in grey)]
    what = "Basins by the fold in which they are tested" if len(split["folds"]) > 1 else "Basins by what they are for"
    title = "Where basins train and are tested"
    return Later(figures.group_map, place, figures.looks(order, grey), "map_split", title, what, results.boundaries)


def _roles(lists: Frozen) -> tuple[dict[str, str], tuple[str, ...]]:
    """Group of each basin, in the order of the folds, and the groups drawn in grey.

    With several folds a group is the fold that tests the basin. With one it is what the basin does there.
    """
    train = {row.basin for row in lists.rows if row.role == "train"}
    tested: dict[str, list[str]] = {}
    for row in lists.rows:
        if row.role == "test":
            tested.setdefault(row.basin, []).append(row.name)
    if len({row.fold for row in lists.rows}) > 1:
        groups = {basin: names[0] if len(names) == 1 else SEVERAL for basin, names in tested.items()}
    else:
        groups = {basin: BOTH if basin in train else TEST for basin in tested}
    return groups | dict.fromkeys(sorted(train - tested.keys()), TRAIN), (TRAIN,)


def _folds(results: Results, split: Mapping[str, Any]) -> Table:
    columns = (
        Column("number", "fold"),
        Column("name", "name"),
        Column("train", "train", "basins", whole),
        Column("train_period", "training period"),
        Column("test", "tested", "basins", whole),
        Column("test_period", "test period"),
    )
    periods = {"train_period": str(results.spec.split.train), "test_period": str(results.spec.split.test)}
    rows = [dict(fold) | periods for fold in split["folds"]]
    return Table("folds", "Folds", "What each fold trains and is tested on.", columns, frame(rows, columns))


def _left_out(left_out: Sequence[Mapping[str, Any]]) -> Table:
    columns = (Column("role", "left out of"), Column("reason", "why"), Column("count", "basins", "", whole), Column("basins", "which"))
    rows = [dict(out) | {"count": len(out["basins"]), "basins": listed(out["basins"], most=8)} for out in left_out]
    caption = "Basins of the study's data that take no part in it, or not in all of it."
    return Table("left_out", "Basins left out of the split", caption, columns, frame(rows, columns))


def _by_fold(results: Results) -> Table:
    """Medians over the basins of each fold; without rows where there is one fold only."""
    columns = (Column("arm", "arm"), Column("fold", "fold"), *map(metric_column, MAIN), Column("basins", "basins", "", whole))
    numbers = sorted({run.cell.fold for run in results.runs})
    names = {fold["number"]: fold["name"] for fold in (results.data.get("split") or {}).get("folds", ())}
    found = results.scores
    parts = [
        medians(found.loc[found["fold"] == number]).reset_index().assign(fold=names.get(number, str(number)))
        for number in numbers
        if len(numbers) > 1 and number in set(found["fold"])
    ]
    caption = "Medians over the basins that each fold tests, seeds averaged within a basin first."
    if not parts:
        return Table("medians_by_fold", "Scores by fold", caption, columns, frame([], columns))
    place = {arm: i for i, arm in enumerate(results.arms)}
    data = pd.concat(parts, ignore_index=True).sort_values("arm", key=lambda arms: arms.map(place), kind="stable", ignore_index=True)
    return Table("medians_by_fold", "Scores by fold", caption, columns, data.filter([column.key for column in columns]))


def _spread(by_fold: pd.DataFrame) -> Table:
    """The lowest and the highest median of any fold, by arm and metric."""
    shown = decimals(3)
    columns = (
        Column("arm", "arm"),
        Column("metric", "metric"),
        Column("low", "lowest", "", shown),
        Column("low_fold", "in fold"),
        Column("high", "highest", "", shown),
        Column("high_fold", "in fold"),
        Column("mean", "mean of folds", "", shown),
        Column("deviation", "standard deviation", "", shown),
        Column("folds", "folds", "", whole),
    )
    rows = []
    for arm, of in by_fold.groupby("arm", sort=False):
        for metric in SPREAD:
            known = of.dropna(subset=[metric])
            if known.empty:
                continue
            ranked = known.sort_values(metric, kind="stable")
            low, high = ranked.iloc[0], ranked.iloc[-1]
            row = {"arm": arm, "metric": METRICS[metric].label, "low": low[metric], "low_fold": low["fold"], "high": high[metric]}
            row |= {"high_fold": high["fold"], "mean": known[metric].mean(), "deviation": known[metric].std(), "folds": len(known)}
            rows.append(row)
    caption = "Medians over the basins of a fold, compared between folds: how far a result depends on which basins were held out."
    return Table("spread_of_folds", "Spread across folds", caption, columns, frame(rows, columns))
