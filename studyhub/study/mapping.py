"""A mapping file: what the columns of a user's table are called, and in which units they are.

``studyhub/data/mappings`` holds mappings that go by name, and shows every key. Tables of days::

    daily:
      files: "*.csv"                  # pattern from the data's folder on; not needed where the data is one file
      basin: gauge_id                 # column of ids; without it each file is a basin, named as its file, or by {basin} in the pattern
      date: day                       # date_format: "%d/%m/%Y" where it is not 2000-01-31
      missing: [-999]                 # besides "", NA, NaN and null
      separator: ";"                  # text files: fields apart by this, else a comma
      decimal: ","                    # text files: else a point
      variables:
        qobs: {column: Q, unit: m3/s}

``also`` is a list of further such tables. ``attributes`` is a list of tables with a row per basin (``files``, ``basin``, ``columns``,
``without``, ``categories``, and how text is written), and ``facts`` says where the place of a basin, its area and the like stand.
"""

import math
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, PlainValidator, Tag, ValidationError

from studyhub.data.units import area_unit, unit_of
from studyhub.errors import DataError, SpecError
from studyhub.study.levels import ColumnName, OrEmpty, OrEmptyList, Text, distinct
from studyhub.study.mapping_settings import (
    AREA,
    CHOICES,
    RANGES,
    AttributeTable,
    DailyTable,
    FactColumn,
    Mapping,
    Variable,
    Written,
)
from studyhub.study.mistakes import translate
from studyhub.study.shape import UNSAID, Shape
from studyhub.study.wording import listed, shown, unknown
from studyhub.study.yaml import Document, Key, combined, load

SHIPPED = Path(__file__).parents[1] / "data" / "mappings"
EXAMPLES = {
    "daily": "the table of days: {date: date, variables: {qobs: {column: Q, unit: m3/s}}}",
    "date": "the column of the day",
    "variables": "{prcp: {column: P, unit: mm/d}, qobs: {column: Q, unit: m3/s}}",
    "unit": "such as mm/d",
    "column": "the name of a column",
    "files": 'a pattern, such as "*.csv"',
    "basin": "the column of the basin's id",
}
# Facts by names that people give them.
MEANT = {"lat": "gauge_lat", "latitude": "gauge_lat", "lon": "gauge_lon", "long": "gauge_lon", "longitude": "gauge_lon", "area": AREA}
RESERVED = ("basin", "date")  # columns of shards


def read(path_or_name: str | Path) -> Mapping:
    """Read a mapping: a file, or one of those that go by name.

    Raises
    ------
    SpecError
        One message, with file, line and key, for all that is wrong (the first few of it).
    """
    document = load(_file(path_or_name), "mapping")
    try:
        given = MappingFile.model_validate(document.values)
    except ValidationError as error:
        raise _sorted(translate(document, error, keys_at, EXAMPLES)) from None
    errors = [*_variables(document, given), *_facts(document, given)]
    if errors:
        raise _sorted(errors)
    return Mapping(
        document.file,
        _daily(given.daily),
        tuple(_daily(table) for table in given.also),
        tuple(_attributes(table) for table in given.attributes),
        tuple((name, FactColumn(**fact.said()) if isinstance(fact, FactKeys) else fact) for name, fact in given.facts.items()),
    )


def shipped() -> tuple[str, ...]:
    """Names of the mappings that go by name."""
    return tuple(sorted(path.stem for path in SHIPPED.glob("*.yaml")))


def keys_at(path: Key) -> tuple[str, ...]:
    """Keys that the mapping at ``path`` may hold; none where any will do."""
    depth = {"also": 2, "attributes": 2}.get(str(path[0]), 1) if path else 0
    shapes = {0: MappingFile, **({depth: _SECTIONS[str(path[0])]} if path and path[0] in _SECTIONS else {})}
    if path and len(path) == depth + 2 and path[depth] == "variables":
        return tuple(VariableKeys.model_fields)
    if path[:1] == ("facts",) and len(path) == 2:
        return tuple(FactKeys.model_fields)
    shape = shapes.get(len(path))
    return tuple(shape.model_fields) if shape else ()


def _file(path_or_name: str | Path) -> Path:
    path = Path(path_or_name)
    by_name = SHIPPED / f"{path_or_name}.yaml"
    if not path.is_file() and str(path_or_name) in shipped():
        return by_name
    if not path.exists() and not path.suffix and path.name == str(path_or_name):
        raise SpecError(f"a mapping file is required, there is none; {unknown('mapping', str(path_or_name), shipped())}", file=path)
    return path


def _format(value: str) -> str:
    sample = datetime(2003, 11, 29)
    try:
        fits = datetime.strptime(sample.strftime(value), value) == sample
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f'needs a format that says day, month and year, such as "%d/%m/%Y", got {value!r}')
    return value


def _letter(value: str) -> str:
    if len(value) != 1 or value in "\n\r\"'":
        raise ValueError(f'needs one letter, such as ";" (a tab is "\\t"), got {value!r}')
    return value


def _decimal(value: str) -> str:
    if value not in (".", ","):
        raise ValueError(f'needs "." or ",", got {value!r}')
    return value


def _marks(value: Any) -> tuple[str | float, ...]:
    marks = value if isinstance(value, list | tuple) else [value]
    if any(isinstance(mark, bool) or not isinstance(mark, str | int | float) or mark in (math.inf, -math.inf) for mark in marks):
        raise ValueError(f"needs marks that stand for missing values, such as [-999, NA], got {shown(value)}")
    return tuple(mark for mark in marks if mark == mark)  # NaN is missing anyway


def _columns(value: Any) -> str | tuple[tuple[str, str], ...]:
    if value in ("numbers", "all"):
        return value
    pairs = (
        list(value.items()) if isinstance(value, dict) else [(name, name) for name in value] if isinstance(value, list | tuple) else None
    )
    if pairs is None or not all(isinstance(part, str) and part for pair in pairs for part in pair):
        raise ValueError(f"needs `numbers`, `all`, a list of columns, or {{our name: column}}, got {shown(value)}")
    distinct(tuple(name for name, _ in pairs))
    return tuple(pairs)


def _name(value: str) -> str:
    if not re.fullmatch(r"[^\W\d]\w{0,59}", value) or value in RESERVED:
        raise ValueError(
            f"a name begins with a letter and holds letters, digits and `_` (at most 60; not {listed(RESERVED)}), got {value!r}"
        )
    return value


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Name = Annotated[str, AfterValidator(_name)]
Names = Annotated[tuple[ColumnName, ...], Field(strict=False), AfterValidator(distinct), BeforeValidator(_listed)]


class WrittenKeys(Shape):
    separator: Annotated[str, AfterValidator(_letter)] = ","
    decimal: Annotated[str, AfterValidator(_decimal)] = "."
    missing: Annotated[tuple[str | float, ...], PlainValidator(_marks)] = ()


class VariableKeys(Shape):
    column: ColumnName
    unit: Text


class DailyKeys(WrittenKeys):
    files: Text | None = None
    basin: ColumnName | None = None
    date: ColumnName
    date_format: Annotated[str, AfterValidator(_format)] | None = None
    variables: Annotated[dict[Name, VariableKeys], Field(min_length=1)]


class FurtherKeys(DailyKeys):
    files: Text = Field()


class AttributeKeys(WrittenKeys):
    files: Text
    basin: ColumnName
    columns: Annotated[Any, PlainValidator(_columns)] = "numbers"
    without: Names = ()
    categories: Names = ()


class FactKeys(Shape):
    column: ColumnName
    unit: Text = UNSAID
    file: Text = UNSAID


Fact = Annotated[
    Annotated[FactKeys, Tag("<column>")] | Annotated[str | float | int, Tag("<value>")],
    Discriminator(lambda value: "<column>" if isinstance(value, dict | FactKeys) else "<value>"),
]


class MappingFile(Shape):
    daily: DailyKeys
    also: Annotated[tuple[FurtherKeys, ...], Field(strict=False), OrEmptyList] = ()
    attributes: Annotated[tuple[AttributeKeys, ...], Field(strict=False), OrEmptyList] = ()
    facts: Annotated[dict[Name, Fact], OrEmpty] = {}


_SECTIONS: dict[str, type[Shape]] = {"daily": DailyKeys, "also": FurtherKeys, "attributes": AttributeKeys}


def _written(keys: WrittenKeys) -> Written:
    return Written(keys.separator, keys.decimal, keys.missing)


def _daily(keys: DailyKeys) -> DailyTable:
    variables = tuple(Variable(name, variable.column, variable.unit) for name, variable in keys.variables.items())
    return DailyTable(variables, keys.date, keys.date_format, keys.files, keys.basin, _written(keys))


def _attributes(keys: AttributeKeys) -> AttributeTable:
    return AttributeTable(keys.files, keys.basin, keys.columns, keys.without, keys.categories, _written(keys))


def _variables(document: Document, given: "MappingFile") -> Iterator[SpecError]:
    """Units that are none, names that stand in two tables, and a comma that is both separator and decimal."""
    tables: dict[Key, WrittenKeys] = {("daily",): given.daily}
    tables |= {("also", number): table for number, table in enumerate(given.also)}
    seen: dict[str, Key] = {}
    for place, table in tables.items():
        for name, variable in table.variables.items() if isinstance(table, DailyKeys) else ():
            key = (*place, "variables", name)
            if seen.setdefault(name, place) != place:
                yield document.error(f"stands in `{'.'.join(map(str, seen[name]))}` too; keep one of them", *key)
            yield from _unit(document, lambda name=name, unit=variable.unit: unit_of(name, unit), *key, "unit")
    tables |= {("attributes", number): table for number, table in enumerate(given.attributes)}
    for place, table in tables.items():
        if table.separator == table.decimal:
            yield document.error(f'{table.separator!r} cannot part both fields and decimals; the other is "." or ";"', *place, "decimal")


def _facts(document: Document, given: "MappingFile") -> Iterator[SpecError]:
    for name, fact in given.facts.items():
        if name in MEANT:
            yield document.error(f"unknown fact; did you mean `{MEANT[name]}`?", "facts", name)
        elif isinstance(fact, FactKeys):
            yield from _fact_column(document, name, fact, given)
        elif name in CHOICES and fact not in CHOICES[name]:
            yield document.error(unknown(name, fact, CHOICES[name]), "facts", name)
        elif name in RANGES:
            low, high = RANGES[name]
            if isinstance(fact, str) or not low <= fact <= high:
                yield document.error(f"needs a number from {low:g} to {high:g}, got {shown(fact)}", "facts", name)
        elif not isinstance(fact, str) and name in ("name", "country", "huc_02"):
            yield document.error(f"needs text, got {shown(fact)}; put it in quotes", "facts", name)


def _fact_column(document: Document, name: str, fact: FactKeys, given: "MappingFile") -> Iterator[SpecError]:
    said = fact.said()
    if not given.attributes:
        yield document.error("stands in a column of attribute tables, and `attributes` names none; name their files there", "facts", name)
    if name == AREA:
        yield from _unit(document, lambda: area_unit(said.get("unit", "km2")), "facts", name, "unit")
    elif "unit" in said:
        yield document.error(f"only {AREA} takes a unit; take it out", "facts", name, "unit")


def _unit(document: Document, ask: Any, *key: str | int) -> Iterator[SpecError]:
    try:
        ask()
    except DataError as error:
        yield document.error(str(error), *key)


def _sorted(errors: list[SpecError]) -> SpecError:
    return combined(sorted(errors, key=lambda error: error.line or 0))
