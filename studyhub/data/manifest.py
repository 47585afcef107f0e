"""What a shards folder says about itself: basins, days, variables, units, content hashes.

Standard library only, so that a study is planned without the libraries that read numbers.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from studyhub.errors import DataError
from studyhub.study.settings import Period

NAME = "manifest.json"
FORMAT = 1

Fact = str | float | int | None


@dataclass(frozen=True)
class Entry:
    """One basin: where its rows lie, which days they are, what they hash to, and what is known of the place.

    ``facts`` holds gauge_lat, gauge_lon, continent, climate_group, area_km2 and the like, and of the observed discharge ``observed_days``,
    ``first_observed`` and ``last_observed``.
    """

    file: str
    row_group: int
    start: date
    days: int
    hashes: Mapping[str, str]
    attributes_hash: str
    facts: Mapping[str, Fact] = field(default_factory=dict)

    @property
    def period(self) -> Period:
        return Period(self.start, self.start + timedelta(days=self.days - 1))


@dataclass(frozen=True)
class Manifest:
    """A shards folder without its numbers.

    Parameters
    ----------
    folder : the shards folder
    source : name of the reader that made it
    settings : what that reader was told
    units : unit of each variable; its keys are the variables
    attribute_names : columns of the attribute file
    codes : category -> its names in the order of their integer codes (0, 1, ...; -1 is missing)
    sizes : bytes of each Parquet file
    entries : basin -> its entry
    truth : variables of the truth file (synthetic basins only)
    identity : hash that stands for all content, where the content follows from settings (synthetic basins only)
    """

    folder: Path
    source: str
    settings: Mapping[str, Any]
    units: Mapping[str, str]
    attribute_names: tuple[str, ...]
    codes: Mapping[str, tuple[str, ...]]
    sizes: Mapping[str, int]
    entries: Mapping[str, Entry]
    truth: tuple[str, ...] = ()
    identity: str | None = None

    @property
    def basins(self) -> tuple[str, ...]:
        return tuple(self.entries)

    @property
    def variables(self) -> tuple[str, ...]:
        return tuple(self.units)

    @property
    def period(self) -> Period:
        """From the first day of any basin to the last day of any basin."""
        periods = [entry.period for entry in self.entries.values()]
        return Period(min(p.start for p in periods), max(p.end for p in periods))

    @property
    def metadata(self) -> dict[str, Mapping[str, Fact]]:
        return {basin: entry.facts for basin, entry in self.entries.items()}

    def hash(self, basins: Iterable[str], variables: Iterable[str]) -> str:
        """Hash of the content of these basins' variables and attributes, 16 hex digits; their order does not matter. No Parquet is read."""
        basins, variables = sorted(set(basins)), sorted(set(variables))
        self.require("basins", basins, self.entries)
        self.require("variables", variables, self.units)
        if self.identity is not None:
            return identity_hash(self.identity, basins, variables)
        chosen = ((self.entries[basin], basin) for basin in basins)
        return digest([[basin, entry.attributes_hash, [[v, entry.hashes[v]] for v in variables]] for entry, basin in chosen])

    def require(self, what: str, given: Iterable[str], known: Iterable[str]) -> None:
        """Raise a DataError that names what is not there."""
        known = tuple(known)
        missing = sorted(set(given) - set(known))
        if missing:
            raise DataError(f"{self.folder}: no {what} {shorten(missing)}; there are {shorten(known)}")

    def save(self) -> None:
        content = {"format": FORMAT} | {k: v for k, v in vars(self).items() if k not in {"folder", "entries"}}
        content["period"] = [str(self.period.start), str(self.period.end)]
        content["entries"] = {basin: asdict(entry) | {"start": str(entry.start)} for basin, entry in self.entries.items()}
        (self.folder / NAME).write_text(json.dumps(content, indent=1, allow_nan=False), encoding="utf-8")

    @classmethod
    def open(cls, folder: str | Path) -> "Manifest":
        """Read ``manifest.json`` of a shards folder."""
        folder = Path(folder)
        try:
            content = json.loads((folder / NAME).read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise DataError(f"{folder}: shards with a {NAME} are required, there is none; make them with `studyhub ingest`") from None
        except (OSError, ValueError) as error:
            raise DataError(f"{folder / NAME}: cannot be read ({error}); ingest again") from None
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise DataError(f"{folder / NAME}: shards of format {FORMAT} are required; ingest again")
        try:
            return cls._from_json(folder, content)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise DataError(f"{folder / NAME}: damaged ({error!r}); ingest again") from None

    @classmethod
    def _from_json(cls, folder: Path, content: dict[str, Any]) -> "Manifest":
        entries = {basin: Entry(**(entry | {"start": date.fromisoformat(entry["start"])})) for basin, entry in content["entries"].items()}
        return cls(
            folder=folder,
            source=content["source"],
            settings=content["settings"],
            units=content["units"],
            attribute_names=tuple(content["attribute_names"]),
            codes={name: tuple(names) for name, names in content["codes"].items()},
            sizes=content["sizes"],
            entries=entries,
            truth=tuple(content["truth"]),
            identity=content["identity"],
        )


def digest(content: Any) -> str:
    """16 hex digits of the SHA-256 of plain values, written as canonical JSON."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]


def identity_hash(identity: str, basins: Iterable[str], variables: Iterable[str]) -> str:
    """Hash of basins and variables whose numbers follow from ``identity`` (generator settings and version)."""
    return digest([identity, sorted(set(basins)), sorted(set(variables))])


def shorten(names: Sequence[str], most: int = 12) -> str:
    """Names for a message, at most ``most`` of them."""
    names = list(names)
    return ", ".join(names[:most]) + (f", ... ({len(names)} in all)" if len(names) > most else "")
