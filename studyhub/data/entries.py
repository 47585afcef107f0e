"""What a manifest says of each basin: where its rows lie, which days they are, what they hash to. Standard library only."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from studyhub.errors import DataError
from studyhub.storage import last_part
from studyhub.study.settings import Period

NAME = "manifest.json"

Fact = str | float | int | list[str] | None


@dataclass(frozen=True)
class Entry:
    """One basin: where its rows lie, which days they are, what they hash to, and what is known of the place.

    Parameters
    ----------
    file, row_group : its place in ``home``
    start, days : its days
    hashes, missing : variable -> hash of its values, days on which it is missing
    attributes_hash : hash of its attributes
    observed : runs of days with observed discharge, as (first, days), counted from ``start``
    facts : gauge_lat, gauge_lon, continent, climate_group, area_km2, dataset, flagged (quality checks) and the like; observed_days,
        first_observed and last_observed of discharge
    home : folder of the file
    """

    file: str
    row_group: int
    start: date
    days: int
    hashes: Mapping[str, str]
    missing: Mapping[str, int]
    attributes_hash: str
    observed: tuple[tuple[int, int], ...] = ()
    facts: Mapping[str, Fact] = field(default_factory=dict)
    home: str = ""

    @property
    def period(self) -> Period:
        return Period(self.start, self.start + timedelta(days=self.days - 1))

    def observed_days(self, period: Period) -> int:
        """Count the days of a period on which discharge was observed."""
        begin, end = ((day - self.start).days for day in (period.start, period.end))
        return sum(max(0, min(first + days - 1, end) - max(first, begin) + 1) for first, days in self.observed)

    def record(self) -> dict[str, Any]:
        """Plain values that `from_record` takes back; ``home`` is not among them, for a folder may be moved."""
        content = {key: value for key, value in vars(self).items() if key != "home"}
        return content | {"start": str(self.start), "observed": [list(run) for run in self.observed]}

    @classmethod
    def from_record(cls, record: Mapping[str, Any], home: str, dataset: str) -> "Entry":
        observed = tuple((int(first), int(days)) for first, days in record["observed"])
        known = {"start": date.fromisoformat(record["start"]), "observed": observed, "home": home}
        return cls(**{**record, **known, "facts": {**record["facts"], "dataset": dataset}})


class Entries(Mapping[str, Entry]):
    """Entries of a manifest, each read from its line when it is first asked for: there may be thousands, of which a study takes some."""

    def __init__(self, lines: Mapping[str, str], home: str):
        self._lines, self._home, self._dataset, self._read = lines, home, last_part(home), dict[str, Entry]()

    def __getitem__(self, basin: str) -> Entry:
        if basin not in self._read:
            line = self._lines[basin]
            try:
                self._read[basin] = Entry.from_record(json.loads(line), self._home, self._dataset)
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise DataError(f"{self._home}/{NAME}: damaged at basin {basin} ({error!r}); ingest again") from None
        return self._read[basin]

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)
