"""Kinds of values in a study file: each takes what YAML gives and returns a plain value, or says what it needs."""

import math
import re
from collections import Counter
from collections.abc import Collection, Mapping
from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator

from studyhub.catalog import ATTRIBUTE_SETS, FORCING_SETS, FORCINGS
from studyhub.study.settings import Period
from studyhub.study.wording import listed, shown, unknown


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


def names(what: str, *, known: Collection[str] = (), sets: Mapping[str, tuple[str, ...]] | None = None) -> PlainValidator:
    """Return a validator for a list of distinct names, or the name of a set of them; without ``known`` any name will do."""

    def read(value: Any) -> tuple[str, ...]:
        if isinstance(value, str):
            return _named_set(what, value, sets or {})
        if not isinstance(value, list | tuple) or not all(isinstance(name, str) and name for name in value) or (known and not value):
            raise ValueError(f"needs a list of {what} names{_sets(sets)}, got {shown(value)}")
        for name in value:
            if known and name not in known:
                raise ValueError(unknown(what, name, known))
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
    if not isinstance(value, list | tuple) or not value:
        raise ValueError(f'needs `all` or a list of basin ids in quotes, such as ["01013500", "01022500"], got {shown(value)}')
    return _basins(value)


def _arm_name(value: str) -> str:
    if not re.fullmatch(r"[^\W\d_][\w+-]{0,59}", value):
        raise ValueError(f"an arm's name begins with a letter and holds letters, digits, `_`, `-` and `+` (at most 60), got {value!r}")
    return value


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
ColumnName = Annotated[str, AfterValidator(_column_name)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Positive = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
PeriodLevel = Annotated[Period, PlainValidator(_period)]
MaybePeriod = Annotated[Period | None, PlainValidator(lambda value: None if value in (None, "none") else _period(value))]
Forcing = Annotated[tuple[str, ...], names("forcing", known=FORCINGS, sets=FORCING_SETS)]
Attributes = Annotated[tuple[str, ...], names("attribute", sets=ATTRIBUTE_SETS)]
Parameters = Annotated[tuple[str, ...], names("parameter")]
Fixed = Annotated[tuple[tuple[str, float], ...], PlainValidator(_values)]
Rates = Annotated[tuple[tuple[int, float], ...], PlainValidator(_rates)]
Gpus = Annotated[str | float, PlainValidator(_gpus)]
Basins = Annotated[tuple[str, ...], PlainValidator(_basins)]
WholeBasins = Annotated[str | tuple[str, ...], PlainValidator(_whole_basins)]
Distinct = AfterValidator(distinct)
OrNone = BeforeValidator(lambda value: None if value == "none" else value)
OrEmpty = BeforeValidator(lambda value: {} if value is None else value)  # a section whose keys are all commented out
OrEmptyList = BeforeValidator(lambda value: [] if value is None else value)
ingested = AfterValidator(_ingested)
