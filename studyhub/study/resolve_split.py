"""From what a study file says under ``split`` to its periods, its rule for basins, and the records that it asks for."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studyhub.catalog import BASIN_GROUPS
from studyhub.errors import DataError, SpecError
from studyhub.study.lists import Frozen, Lists
from studyhub.study.settings import Period, Split
from studyhub.study.shape import SplitKeys, YearsKeys
from studyhub.study.splits import RULES, YEAR, Random, Records, Regions, Rule, Temporal, Years, least_days
from studyhub.study.wording import listed
from studyhub.study.yaml import combined

if TYPE_CHECKING:
    from studyhub.study.yaml import Document

RECORDS = tuple(field.name for field in fields(Records))
KEYS = tuple(dict.fromkeys(field.name for rule in RULES.values() for field in fields(rule)))
NEEDED = {
    "by": "the fact that tells the groups, such as continent, climate_group, huc_02, country or dataset",
    "file": "a table of basins and periods, such as the split.csv of a study that was launched",
    "train": "[1985-10-01, 1995-09-30]",
    "test": "[1997-10-01, 2007-09-30]",
}


@dataclass(frozen=True)
class Division:
    """Which days and which basins train, choose and judge."""

    split: Split
    rule: Rule
    records: Records

    def plain(self) -> dict[str, Any]:
        """What a study file says for it, with nothing left to default."""
        split, rule = self.split, asdict(self.rule)
        none = {"stratify": "none"} if rule.get("stratify", "") is None else {}
        return {
            "kind": self.rule.kind,
            **{key: value for key, value in rule.items() if value is not None and value != ()},
            **none,
            "train": _days(split.train),
            "validation": "none" if split.validation is None else _days(split.validation),
            "test": _days(split.test),
            "warmup": split.warmup,
            "test_warmup": split.test_warmup,
            **{key: years for key, years in asdict(self.records).items() if years is not None},
        }


def resolve(document: "Document", keys: SplitKeys) -> tuple[Division, list[SpecError]]:
    """Fill in the split.

    Raises
    ------
    SpecError
        It lacks what nothing can be said without: a period, the groups' fact, a readable list.
    """
    said = keys.said()
    errors = [document.error(message, "split", key) for key, message in _meaningless(keys)]
    rule = _rule(document, keys, said)
    periods = {role: said[role] for role in ("train", "test") if role in said}
    if isinstance(rule, Lists) and len(periods) < 2:
        try:
            periods = Frozen.from_csv(rule.file).periods(rule.file) | periods
        except DataError as error:
            raise document.error(str(error), "split", "file") from None
    _require(document, periods, "train", "test")
    split = Split(periods["train"], periods["test"], keys.validation, keys.warmup, keys.test_warmup)
    errors += [document.error(message, "split", key) for key, message in _overlaps(split, rule)]
    records = Records(_years(keys.min_years), _years(keys.long_record))
    errors += [document.error(message, "split", *place) for place, message in _too_many_years(records, split)]
    return Division(split, rule, records), errors


def _rule(document: "Document", keys: SplitKeys, said: dict[str, Any]) -> Rule:
    given = {key: said[key] for key in KEYS if key in said}
    if keys.kind == Random.kind:
        return Random(**{key: value for key, value in given.items() if key in ("folds", "seed", "stratify")})
    if keys.kind == Lists.kind:
        _require(document, given, "file")
        return Lists(str(Path(given["file"]).absolute()))
    if keys.kind == Temporal.kind:
        return Temporal()
    named = given.get("groups")
    fact = BASIN_GROUPS[named][0] if isinstance(named, str) else None
    given = ({"by": fact} if fact else {}) | given
    _require(document, given, "by")
    if fact and given["by"] != fact:
        raise document.error(f"the groups `{named}` go by {fact}: write `by: {fact}`, got {given['by']!r}", "split", "by")
    return Regions(given["by"], named, given.get("hold_out", ()))


def _require(document: "Document", given: dict[str, Any], *keys: str) -> None:
    lacking = [document.error(f"is required: {NEEDED[key]}", "split", key) for key in keys if key not in given]
    if lacking:
        raise combined(lacking)


def _meaningless(keys: SplitKeys) -> Iterator[tuple[str, str]]:
    own = [field.name for field in fields(RULES[keys.kind])]
    for key in (key for key in KEYS if key in keys.model_fields_set and key not in own):
        kinds = [kind for kind, rule in RULES.items() if key in [field.name for field in fields(rule)]]
        yield key, f"has no meaning for split {keys.kind}; take it out, or write `kind: {listed(kinds)}`"
    if keys.kind == Lists.kind:
        for key in (key for key in RECORDS if getattr(keys, key) is not None):
            yield key, "has no meaning for lists from a file, which are taken as they are; take it out"


def _overlaps(split: Split, rule: Rule) -> Iterator[tuple[str, str]]:
    """Days that would do two things in the same basins. Where test basins do not train, the test may lie in any years."""
    periods = {"train": split.train, "validation": split.validation, "test": split.test}
    pairs = [("train", "validation")]
    if isinstance(rule, Temporal):
        pairs += [("train", "test"), ("validation", "test")]
    for earlier, later in pairs:
        first, second = periods[earlier], periods[later]
        if first is not None and second is not None and first.overlaps(second):
            common = Period(max(first.start, second.start), min(first.end, second.end))
            message = f"{common.days} days ({common}) of the same basins are also in `split.{earlier}` ({first})"
            yield later, f"{message}; a day may train, choose or judge, not two of these"


def _too_many_years(records: Records, split: Split) -> Iterator[tuple[tuple[str, str], str]]:
    """More years than the period has, which no basin could show."""
    for key in RECORDS:
        years = getattr(records, key) or Years()
        for role, least, period in (("train", years.train, split.train), ("test", years.test, split.test)):
            if least_days(least) > period.days:
                yield (key, role), f"{least:g} observed years are asked for, the period {period} has {period.days / YEAR:.1f}; lower it"


def _years(keys: YearsKeys | None) -> Years | None:
    return None if keys is None else Years(keys.train, keys.test)


def _days(period: Period) -> list[Any]:
    return [period.start, period.end]
