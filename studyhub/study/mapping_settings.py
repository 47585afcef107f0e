"""What a mapping says about a table, in plain frozen values. ``study.mapping`` reads these from YAML; ``data.table`` follows them."""

from dataclasses import dataclass, fields, is_dataclass
from pathlib import PurePath
from typing import Any

BASIN = "{basin}"  # in the pattern of file names: where the basin's id stands
MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL")  # always missing, in every table
CONTINENTS = ("Africa", "Asia", "Europe", "North America", "Oceania", "South America")
CLIMATE_GROUPS = ("arid", "cold", "polar", "temperate", "tropical", "unknown")
CHOICES = {"continent": CONTINENTS, "climate_group": CLIMATE_GROUPS}  # facts that are one of some names
AREA = "area_km2"
# Facts that are numbers, and between which.
RANGES = {"gauge_lat": (-90.0, 90.0), "gauge_lon": (-180.0, 180.0), "forcing_lat": (-90.0, 90.0), AREA: (1e-6, 1e8)}


@dataclass(frozen=True)
class Written:
    """How text files are written. ``missing`` are marks besides ``MISSING``; a number among them is compared as a number."""

    separator: str = ","
    decimal: str = "."
    missing: tuple[str | float, ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """Marks as text."""
        return tuple(dict.fromkeys((*MISSING, *(str(mark) for mark in self.missing))))

    @property
    def numbers(self) -> tuple[float, ...]:
        """Marks that are numbers."""
        return tuple(number for mark in self.missing if (number := _number(mark)) is not None)


@dataclass(frozen=True)
class Variable:
    """A variable, the column that holds it, and its unit there."""

    name: str
    column: str
    unit: str


@dataclass(frozen=True)
class DailyTable:
    """Rows of days.

    Parameters
    ----------
    variables : what to read
    date : column of the day, and ``date_format`` how it is written (None: 2000-01-31)
    files : pattern of the files' names, None for the data itself
    basin : column of the basin's id; None: each file is one basin, whose id stands at ``{basin}`` in ``files`` or is the file's name
    written : of text files
    """

    variables: tuple[Variable, ...]
    date: str
    date_format: str | None = None
    files: str | None = None
    basin: str | None = None
    written: Written = Written()


@dataclass(frozen=True)
class AttributeTable:
    """A row per basin.

    Parameters
    ----------
    files : pattern of the files' names
    basin : column of the basin's id
    columns : "numbers" takes all columns of numbers, "all" those of text too, as categories; else (attribute, column) pairs
    without : columns to leave out
    categories : columns that are categories although they look like numbers
    written : of text files
    """

    files: str
    basin: str
    columns: str | tuple[tuple[str, str], ...] = "numbers"
    without: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    written: Written = Written()


@dataclass(frozen=True)
class FactColumn:
    """A fact that stands in a column of the attribute tables; ``file`` says of which, where several have one of that name."""

    column: str
    unit: str | None = None
    file: str | None = None


@dataclass(frozen=True)
class Mapping:
    """What a table holds. ``also`` are further tables, whose days may be sparser; ``facts`` hold a value for all basins, or its column."""

    file: str
    daily: DailyTable
    also: tuple[DailyTable, ...] = ()
    attributes: tuple[AttributeTable, ...] = ()
    facts: tuple[tuple[str, str | float | FactColumn], ...] = ()

    @property
    def tables(self) -> dict[str, DailyTable]:
        """All tables of days under their key in the mapping."""
        return {"daily": self.daily} | {f"also.{number}": table for number, table in enumerate(self.also)}

    @property
    def variables(self) -> tuple[Variable, ...]:
        return tuple(variable for table in self.tables.values() for variable in table.variables)

    def plain(self) -> dict[str, Any]:
        """All it says, as plain values: what is left to default is left out, and so are folders."""
        values = {name: value for name, value in _plain(self).items() if name != "file"}
        return values | ({"facts": dict(values["facts"])} if self.facts else {})


def _number(mark: str | float) -> float | None:
    try:
        return float(mark)
    except ValueError:
        return None


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        said = {field.name: getattr(value, field.name) for field in fields(value) if getattr(value, field.name) != field.default}
        if "files" in said:
            said["files"] = PurePath(said["files"]).name
        return {name: _plain(item) for name, item in said.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
