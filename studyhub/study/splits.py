"""Which basins train and which are tested: from a study's rule and plain facts of the data to folds.

Standard library only: folds are planned where a study is planned, without the libraries that read numbers.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from studyhub.catalog import BASIN_GROUPS
from studyhub.errors import DataError
from studyhub.study.lists import Lists
from studyhub.study.settings import Period, Split
from studyhub.study.wording import listed, nearest

YEAR = 365.25  # days
NOT_KNOWN = (None, "", "unknown")


class Facts(Protocol):
    """What is known of the basins; a shards folder's manifest has it all."""

    @property
    def metadata(self) -> Mapping[str, Mapping[str, Any]]:
        """Facts of each basin: continent, climate_group, huc_02, country, dataset, ..."""
        ...

    def observed_days(self, basin: str, period: Period, /) -> int:
        """Count the days of a period on which the basin's discharge was observed."""
        ...


@dataclass(frozen=True)
class Temporal:
    """The same basins in both; time alone divides."""

    kind: ClassVar[str] = "temporal"


@dataclass(frozen=True)
class Random:
    """Prediction in ungauged basins: random folds, each held out once. With ``stratify`` each has its share of every value of a fact."""

    kind: ClassVar[str] = "pub"
    folds: int = 10
    seed: int = 1
    stratify: str | None = None


@dataclass(frozen=True)
class Regions:
    """Prediction in ungauged regions: groups of basins by a fact, each held out once.

    Parameters
    ----------
    by : the fact
    groups : its values in each group, or the name of a set in ``catalog.BASIN_GROUPS``; None: each value is a group. Basins of no group
        always train
    hold_out : groups to test, by their names or values; all where none are given
    """

    kind: ClassVar[str] = "pur"
    by: str
    groups: str | tuple[tuple[str, ...], ...] | None = None
    hold_out: tuple[str, ...] = ()


Rule = Temporal | Random | Regions | Lists
RULES: dict[str, type[Rule]] = {rule.kind: rule for rule in (Temporal, Random, Regions, Lists)}


@dataclass(frozen=True)
class Years:
    """Observed years of discharge that are asked for in the training and in the test period; they need not be continuous."""

    train: float = 0
    test: float = 0


@dataclass(frozen=True)
class Records:
    """How long basins must have been observed.

    ``min_years``: a basin with less in one of the periods leaves training or test. ``long_record``: one with less leaves both.
    """

    min_years: Years | None = None
    long_record: Years | None = None


@dataclass(frozen=True)
class Fold:
    """Basins that train and basins that are tested; ``name`` is for people, ``number`` counts from 1."""

    number: int
    name: str
    train_basins: tuple[str, ...]
    test_basins: tuple[str, ...]


@dataclass(frozen=True)
class LeftOut:
    """Basins that take no part in ``role`` ("training", "test", or "study" where it is both), and why."""

    role: str
    reason: str
    basins: tuple[str, ...]


def divide(rule: Rule, records: Records, split: Split, data: Facts, basins: Sequence[str]) -> tuple[tuple[Fold, ...], tuple[LeftOut, ...]]:
    """Divide basins into folds.

    Parameters
    ----------
    rule, records : what the study says
    split : its periods
    data : facts of the basins
    basins : those that the study chose, in the order of the data, which basins keep in every fold

    Raises
    ------
    DataError
        A fold trains or tests nothing; a basin has a day in both training and test; or the rule asks for what the data do not have.
    """
    left: list[LeftOut] = []
    if isinstance(rule, Lists):
        folds = [Fold(number, name, *lists) for number, name, *lists in rule.folds(basins, split)]
    else:
        basins = _long(records.long_record, split, data, basins, left)
        if isinstance(rule, Regions):
            basins = _known(rule.by, data, basins, left)
        trained, tested = _observed(records.min_years, split, data, basins, left)
        folds = [
            Fold(number, name, _among(basins, trained - (held or set())), _among(basins, tested if held is None else tested & held))
            for number, (name, held) in enumerate(_held_out(rule, data, basins, tested, left), start=1)
        ]
    _require_some(folds, left)
    _require_apart(folds, split)
    return tuple(folds), tuple(left)


def _held_out(
    rule: Temporal | Random | Regions, data: Facts, basins: Sequence[str], tested: set[str], left: Sequence[LeftOut]
) -> Iterator[tuple[str, set[str] | None]]:
    """Name of each fold, and the basins that are kept from its training to be tested; None where the same do both."""
    if isinstance(rule, Temporal):
        yield "all basins", None
    elif isinstance(rule, Random):
        # Basins that cannot be tested are dealt to no fold: folds stay of one size, and these train in every one.
        able = _among(basins, tested)
        if rule.folds > len(able):
            message = f"`split.folds`: {rule.folds} folds need as many basins to test, there are {len(able)}"
            raise DataError(f"{message}{_told(left)}; lower `split.folds`")
        for number, held in enumerate(_dealt(rule, data, able), start=1):
            yield f"{number} of {rule.folds}", held
    else:
        yield from _regions(rule, data, basins)


def _dealt(rule: Random, data: Facts, basins: Sequence[str]) -> list[set[str]]:
    """Deal basins to folds like cards.

    Their order is that of a hash of seed and name: the same on every machine, for ever, and whatever the order of the data. A random
    generator would tie folds to a library's version and to the order in which basins were read. The deal goes on from one stratum to the
    next, so that folds differ by one basin at most, in all and in each stratum.
    """
    stratum = dict.fromkeys(basins, "")
    if rule.stratify is not None:
        stratum = {basin: value or "" for basin, value in _values("stratify", rule.stratify, data, basins).items()}

    def place(basin: str) -> tuple[str, str]:
        return stratum[basin], hashlib.sha256(f"{rule.seed} {basin}".encode()).hexdigest()

    order = sorted(basins, key=place)
    return [set(order[first :: rule.folds]) for first in range(rule.folds)]


def _regions(rule: Regions, data: Facts, basins: Sequence[str]) -> Iterator[tuple[str, set[str]]]:
    values = _values("by", rule.by, data, basins)
    there = sorted({value for value in values.values() if value is not None})
    if len(there) == 1:
        message = f"`split.by`: all {len(values)} basins have the {rule.by} {there[0]}, so holding it out leaves nothing to train on"
        raise DataError(f"{message}; write another `split.by`, or join data of other regions (`data.shards: [ONE, ANOTHER]`)")
    groups = {"+".join(group): group for group in _groups(rule, there)}
    wanted = dict.fromkeys(_group_of(name, groups, rule) for name in rule.hold_out) or groups
    for name in wanted:
        held = {basin for basin, value in values.items() if value in groups[name]}
        if len(held) == len(values):
            raise DataError(
                f"`split.groups`: holding out {name} leaves nothing to train on, for it has all {len(held)} basins; make groups"
            )
        yield name, held


def _groups(rule: Regions, there: Sequence[str]) -> list[tuple[str, ...]]:
    if rule.groups is None:
        return [(value,) for value in there]
    if isinstance(rule.groups, str):  # made for whole data sets: part of one has not all of their values
        groups = [tuple(value for value in group if value in there) for group in BASIN_GROUPS[rule.groups][1]]
        return [group for group in groups if group]
    absent = [value for group in rule.groups for value in group if value not in there]
    if absent:
        raise DataError(f"`split.groups`: no basin has the {rule.by} {listed(map(repr, absent))}; there are {listed(there)}")
    return list(rule.groups)


def _group_of(wanted: str, groups: Mapping[str, tuple[str, ...]], rule: Regions) -> str:
    for name, group in groups.items():
        if wanted == name or wanted in group:
            return name
    raise DataError(f"`split.hold_out`: no group of basins by {rule.by} is or has {wanted!r}; {nearest(wanted, groups)}")


def _values(key: str, fact: str, data: Facts, basins: Iterable[str]) -> dict[str, str | None]:
    """Value of a fact for each basin, as text; None where it is not known."""
    found = {basin: data.metadata.get(basin, {}).get(fact) for basin in basins}
    if all(value in NOT_KNOWN or isinstance(value, list) for value in found.values()):
        every = dict.fromkeys(name for basin in basins for name, value in data.metadata.get(basin, {}).items() if isinstance(value, str))
        raise DataError(f"`split.{key}`: of no basin the fact {fact!r} is known; {nearest(fact, every)}")
    return {basin: None if value in NOT_KNOWN else str(value) for basin, value in found.items()}


def _known(fact: str, data: Facts, basins: Sequence[str], left: list[LeftOut]) -> tuple[str, ...]:
    """Basins that can be told to be in a region or not: others might train in the region that is held out."""
    values = _values("by", fact, data, basins)
    return _without("study", f"{fact} not known", [basin for basin, value in values.items() if value is None], basins, left)


def _long(years: Years | None, split: Split, data: Facts, basins: Sequence[str], left: list[LeftOut]) -> tuple[str, ...]:
    if years is None:
        return tuple(basins)
    short = {*_short(years.train, split.train, data, basins), *_short(years.test, split.test, data, basins)}
    reason = f"no long record: fewer than {years.train:g} observed years in {split.train} or than {years.test:g} in {split.test}"
    return _without("study", reason, [basin for basin in basins if basin in short], basins, left)


def _observed(years: Years | None, split: Split, data: Facts, basins: Sequence[str], left: list[LeftOut]) -> tuple[set[str], set[str]]:
    """Basins that can train, and basins that can be tested."""
    years = years or Years()
    kept = []
    for role, least, period in (("training", years.train, split.train), ("test", years.test, split.test)):
        reason = f"fewer than {least:g} observed years in {period}"
        kept.append(set(_without(role, reason, _short(least, period, data, basins), basins, left)))
    return kept[0], kept[1]


def _short(least: float, period: Period, data: Facts, basins: Sequence[str]) -> list[str]:
    return [basin for basin in basins if least and data.observed_days(basin, period) < least_days(least)]


def least_days(years: float) -> int:
    """Days of so many years of 365.25 days, in whole days: two years without a leap day are two years."""
    return int(years * YEAR)


def _without(role: str, reason: str, out: Sequence[str], basins: Sequence[str], left: list[LeftOut]) -> tuple[str, ...]:
    """Basins but those that are ``out``, which are noted."""
    if out:
        left.append(LeftOut(role, reason, tuple(out)))
    gone = set(out)
    return tuple(basin for basin in basins if basin not in gone)


def _among(basins: Sequence[str], chosen: set[str]) -> tuple[str, ...]:
    return tuple(basin for basin in basins if basin in chosen)


def _require_some(folds: Sequence[Fold], left: Sequence[LeftOut]) -> None:
    for fold in folds:
        for role, basins in (("train on", fold.train_basins), ("test", fold.test_basins)):
            if not basins:
                raise DataError(f"`split`: fold {fold.number} ({fold.name}) has no basin to {role}{_told(left)}")


def _told(left: Sequence[LeftOut]) -> str:
    return "".join(f"; {len(out.basins)} left the {out.role}: {out.reason}" for out in left)


def _require_apart(folds: Sequence[Fold], split: Split) -> None:
    """No basin may have a day that trains and judges, or chooses and judges."""
    for fold in folds:
        both = set(fold.train_basins).intersection(fold.test_basins)
        for role, period in (("train", split.train), ("validation", split.validation)):
            if both and period is not None and period.overlaps(split.test):
                first = next(basin for basin in fold.train_basins if basin in both)
                where = f"`split`: in fold {fold.number} ({fold.name}), {len(both)} basins, such as {first}"
                raise DataError(f"{where}, are tested in {split.test} and have days of it in `{role}` ({period}); change lists or periods")
