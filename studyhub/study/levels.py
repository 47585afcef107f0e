"""Kinds of values in a study file: each takes what YAML gives and returns a plain value, or says what it needs."""

import math
import re
from collections import Counter
from collections.abc import Collection, Mapping
from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator

from studyhub.catalog import ATTRIBUTE_SETS, BASIN_GROUPS, COMPOSITE, FILLS, FORCING_SETS, OBSERVATIONS, TARGET
from studyhub.errors import DataError
from studyhub.study.lists import read_basins
from studyhub.study.settings import Period
from studyhub.study.wording import listed, shown, unknown

LONGEST_NAME = 100  # characters of an arm's name
ARM_NAME = re.compile(rf"[^\W\d_][\w+=.-]{{0,{LONGEST_NAME - 1}}}")
NOT_FACTORS = ("arm", "fold", "seed")


def level(what: str, known: Collection[str]) -> AfterValidator:
    """One of the names that the catalog knows."""

    def check(value: str) -> str:
        if value not in known:
            raise ValueError(unknown(what, value, known))
        return value

    return AfterValidator(check)


def distinct(values: tuple) -> tuple:
    """Refuse a value that stands twice."""
    twice = [value for value, count in Counter(values).items() if count > 1]
    if twice:
        raise ValueError(f"each value may stand once, {listed(map(shown, twice))} stands more often")
    return values


def names(what: str, sets: Mapping[str, tuple[str, ...]] | None = None, *, needed: bool = False) -> PlainValidator:
    """Return a validator for a list of distinct names, or the name of a set of them; whether the data have them, a plan asks."""

    def read(value: Any) -> tuple[str, ...]:
        if isinstance(value, str):
            return _named_set(what, value, sets or {})
        if not isinstance(value, list | tuple) or not all(isinstance(name, str) and name for name in value) or (needed and not value):
            raise ValueError(f"needs a list of {what} names{_sets(sets)}, got {shown(value)}")
        return distinct(tuple(value))

    return PlainValidator(read)


def _named_set(what: str, value: str, sets: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    if value not in sets:
        raise ValueError(f"needs a list of {what} names, such as [{value}]{_sets(sets)}, got {value!r}")
    return sets[value]


def _sets(sets: Mapping[str, tuple[str, ...]] | None) -> str:
    return f" (or a set: {listed(sets)})" if sets else ""


def _period(value: Any) -> Period:
    if not isinstance(value, list | tuple) or len(value) != 2 or not all(type(day) is date for day in value):
        raise ValueError(f"needs a first and a last day, such as [1989-10-01, 1999-09-30], got {shown(value)}")
    start, end = value
    if start > end:
        raise ValueError(f"an empty period: its first day {start} comes after its last day {end}; swap them")
    return Period(start, end)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _rates(value: Any) -> tuple[tuple[int, float], ...]:
    steps = value if isinstance(value, list) else [[1, value]]
    for step in steps:
        if not isinstance(step, list) or len(step) != 2 or type(step[0]) is not int or not _number(step[1]) or step[1] <= 0:
            raise ValueError(f"needs a rate above 0, or steps of [first epoch, rate] such as [[1, 1e-3], [11, 5e-4]], got {shown(value)}")
    epochs = [epoch for epoch, _ in steps]
    if epochs[:1] != [1] or epochs != sorted(set(epochs)):
        raise ValueError(f"steps begin at epoch 1 and go upwards, got epochs {shown(epochs)}")
    return tuple((epoch, float(rate)) for epoch, rate in steps)


def _gpus(value: Any) -> str | float:
    if value == "auto" or (_number(value) and value >= 0):
        return value
    raise ValueError(f"needs `auto` or a number from 0 on (0.5: two trials share a GPU), got {shown(value)}")


def _values(value: Any) -> tuple[tuple[str, float], ...]:
    if not isinstance(value, dict) or not all(_number(number) for number in value.values()):
        raise ValueError(f"needs parameters and their values, such as {{NDC: 1}}, got {shown(value)}")
    return tuple((name, float(number)) for name, number in value.items())


def _text(value: str) -> str:
    if not value.strip():
        raise ValueError("needs some words")
    return " ".join(value.split())


def _basins(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(basin, str) and basin for basin in value):
        raise ValueError(f'needs a list of basin ids in quotes, such as ["01013500", "01022500"], got {shown(value)}')
    return distinct(tuple(value))


def _whole_basins(value: Any) -> str | tuple[str, ...]:
    if value == "all":
        return "all"
    if isinstance(value, dict) and value.keys() == {"file"} and isinstance(value["file"], str):
        try:
            return read_basins(value["file"])
        except DataError as error:
            raise ValueError(str(error)) from None
    if not isinstance(value, list | tuple) or not value:
        known = '`all`, a list of basin ids in quotes, such as ["01013500", "01022500"], or a file of them, {file: basins.txt}'
        raise ValueError(f"needs {known}, got {shown(value)}")
    return _basins(value)


def _shards(value: Any) -> tuple[str, ...]:
    """One folder or several, as they are written: a URI is no path."""
    folders = [value] if isinstance(value, str) else value
    if not isinstance(folders, list | tuple) or not folders or not all(isinstance(one, str) and one.strip() for one in folders):
        raise ValueError(f"needs a folder of shards, or a list of such folders, got {shown(value)}")
    return distinct(tuple(folders))


def _fill(value: Any) -> str | None:
    if value in (None, "none"):
        return None
    rule, colon, days = value.partition(":") if isinstance(value, str) else ("", "", "")
    if rule not in FILLS or not colon or not days.strip().isdecimal() or int(days) < 1:
        known = " or ".join(f"{rule}:5" for rule in FILLS)
        raise ValueError(f"needs a rule and the longest gap in days that it may fill, such as {known}, got {shown(value)}")
    return f"{rule}:{int(days)}"


def _groups(value: Any) -> str | tuple[tuple[str, ...], ...]:
    if isinstance(value, str):
        if value not in BASIN_GROUPS:
            raise ValueError(f"{unknown('set of groups', value, BASIN_GROUPS)}, or lists of values such as [[Europe], [Asia, Oceania]]")
        return value
    if not isinstance(value, list | tuple) or not value or not all(isinstance(group, list | tuple) and group for group in value):
        known = f"lists of values, such as [[Europe], [Asia, Oceania]], or a set of groups ({listed(BASIN_GROUPS)})"
        raise ValueError(f"needs {known}, got {shown(value)}")
    distinct(tuple(name for group in value for name in group))
    return tuple(_texts(group) for group in value)


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) and name for name in value):
        raise ValueError(f'needs a list of texts, such as [Europe, Asia]; numbers stand in quotes, as ["01", "02"]; got {shown(value)}')
    return distinct(tuple(value))


def _forcing(value: tuple[str, ...]) -> tuple[str, ...]:
    if TARGET in value:
        raise ValueError(f"{TARGET} is what is to be simulated, and cannot be forcing; take it out")
    sparse = [name for name in value if OBSERVATIONS.get(name) == COMPOSITE]
    if sparse:
        raise ValueError(f"{listed(sparse)}: has one value for 8 days, and forcing needs one for each day; take it out")
    return value


def _arm_name(value: str) -> str:
    if not ARM_NAME.fullmatch(value):
        known = f"letters, digits, `_`, `-`, `+`, `=` and `.` (at most {LONGEST_NAME})"
        raise ValueError(f"an arm's name begins with a letter and holds {known}, got {value!r}")
    return value


def _factor_name(value: str) -> str:
    if not re.fullmatch(r"[^\W\d_]\w{0,39}", value):
        raise ValueError(f"a factor's name begins with a letter and holds letters, digits and `_` (at most 40), got {value!r}")
    if value in NOT_FACTORS:
        raise ValueError(f"{listed(NOT_FACTORS)} are of every study, and no names of factors; take another name")
    return value


def _labels(value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict) or not all(isinstance(label, str) and label for label in value.values()):
        raise ValueError(f'needs factors and the labels of their levels, such as {{components: "4"}}, got {shown(value)}')
    return tuple(value.items())


def _condition(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or not value:
        raise ValueError(f"needs keys and the values that they must have, such as {{scheme: [explicit, rk4]}}, got {shown(value)}")
    return value


def _point(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"needs factors and their levels, such as {{components: 4}}, got {shown(value)}")
    return value


def _validation(value: Any) -> str | float:
    if value == "period":
        return "period"
    share = value.get("basins") if isinstance(value, dict) and value.keys() == {"basins"} else None
    if isinstance(share, int | float) and 0 < share < 1:
        return float(share)
    raise ValueError(f"needs `period`, or the share of the training basins that judge, such as {{basins: 0.25}}, got {shown(value)}")


def _some_basins(value: Any) -> int | tuple[str, ...]:
    if type(value) is int and 1 <= value <= 20:
        return value
    if isinstance(value, list | tuple) and 1 <= len(value) <= 20:
        return _basins(value)
    known = '1 to 20 basins: how many, such as 4, or which, such as ["01013500", "01022500"]'
    raise ValueError(f"needs {known}, got {shown(value)}")


def _two_parameters(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or len(value) != 2 or not all(isinstance(name, str) and name for name in value):
        raise ValueError(f"needs two parameters, such as [FC, BETA], got {shown(value)}")
    return tuple(value)


def _searched_arms(value: Any) -> str | tuple[str, ...]:
    if value == "all":
        return value
    if not isinstance(value, list | tuple) or not value or not all(isinstance(name, str) for name in value):
        raise ValueError(f"needs `all`, or a list of arms, got {shown(value)}")
    return distinct(tuple(value))


def _column_name(value: str) -> str:
    if not value:
        raise ValueError("needs the name of a column")
    return value


def _ingested(value: str) -> str:
    if value != "synthetic":
        raise ValueError(f"real basins are read once: `studyhub ingest {value} DIR --out SHARDS`; then write `data: {{shards: SHARDS}}`")
    return value


Text = Annotated[str, AfterValidator(_text)]
ArmName = Annotated[str, AfterValidator(_arm_name)]
FactorName = Annotated[str, AfterValidator(_factor_name)]
Labels = Annotated[tuple[tuple[str, str], ...], PlainValidator(_labels)]
Condition = Annotated[dict[str, Any], PlainValidator(_condition)]
Point = Annotated[dict[str, Any], PlainValidator(_point)]
Validation = Annotated[str | float, PlainValidator(_validation)]
SearchedArms = Annotated[str | tuple[str, ...], PlainValidator(_searched_arms)]
ColumnName = Annotated[str, AfterValidator(_column_name)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Years = Annotated[float, Field(ge=0, le=1000)]
Positive = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
PeriodLevel = Annotated[Period, PlainValidator(_period)]
MaybePeriod = Annotated[Period | None, PlainValidator(lambda value: None if value in (None, "none") else _period(value))]
Forcing = Annotated[tuple[str, ...], names("forcing", FORCING_SETS, needed=True), AfterValidator(_forcing)]
Attributes = Annotated[tuple[str, ...], names("attribute", ATTRIBUTE_SETS)]
Parameters = Annotated[tuple[str, ...], names("parameter")]
Fixed = Annotated[tuple[tuple[str, float], ...], PlainValidator(_values)]
Rates = Annotated[tuple[tuple[int, float], ...], PlainValidator(_rates)]
Shards = Annotated[tuple[str, ...], PlainValidator(_shards)]
Fill = Annotated[str | None, PlainValidator(_fill)]
Groups = Annotated[str | tuple[tuple[str, ...], ...], PlainValidator(_groups)]
Texts = Annotated[tuple[str, ...], PlainValidator(_texts)]
Gpus = Annotated[str | float, PlainValidator(_gpus)]
Basins = Annotated[tuple[str, ...], PlainValidator(_basins)]
WholeBasins = Annotated[str | tuple[str, ...], PlainValidator(_whole_basins)]
SomeBasins = Annotated[int | tuple[str, ...], PlainValidator(_some_basins)]
TwoParameters = Annotated[tuple[str, str], PlainValidator(_two_parameters)]
Distinct = AfterValidator(distinct)
OrNone = BeforeValidator(lambda value: None if value == "none" else value)
OrEmpty = BeforeValidator(lambda value: {} if value is None else value)  # a section whose keys are all commented out
OrEmptyList = BeforeValidator(lambda value: [] if value is None else value)
ingested = AfterValidator(_ingested)
