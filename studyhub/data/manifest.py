"""What a shards folder says about itself: basins, days, variables, units, content hashes.

Standard library only, so that a study is planned without the libraries that read numbers.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from studyhub.data.entries import NAME, Entries, Entry, Fact
from studyhub.errors import DataError
from studyhub.storage import Folder, absolute, folder
from studyhub.study.settings import Period

UNFINISHED = "ingest.json"
BEGIN, END = ',\n "entries": {\n', "\n}"
FORMAT = 2

Where = str | Path | Sequence[str | Path]


@dataclass(frozen=True)
class Manifest:
    """One shards folder, or several taken together, without their numbers.

    Parameters
    ----------
    where : the folders, as paths or URIs
    source : name of the reader that made it
    settings : what that reader was told
    units : unit of each variable; its keys are the variables
    attribute_names : columns of the attribute file
    codes : category -> its names in the order of their integer codes (0, 1, ...; -1 is missing)
    sizes : bytes of each Parquet file, by folder and name
    entries : basin -> its entry
    quality : check -> how many basins passed, were flagged, could not be checked
    left_out : basin that was found but not taken -> why
    truth : variables of the truth files (synthetic basins only)
    identity : hash that stands for all content, where the content follows from settings (synthetic basins only)
    """

    where: tuple[str, ...]
    source: str
    settings: Mapping[str, Any]
    units: Mapping[str, str]
    attribute_names: tuple[str, ...]
    codes: Mapping[str, tuple[str, ...]]
    sizes: Mapping[str, int]
    entries: Mapping[str, Entry]
    quality: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    truth: tuple[str, ...] = ()
    identity: str | None = None

    @property
    def folder(self) -> str:
        """What messages call it."""
        return " + ".join(self.where)

    @property
    def basins(self) -> tuple[str, ...]:
        return tuple(self.entries)

    @property
    def variables(self) -> tuple[str, ...]:
        return tuple(self.units)

    @cached_property
    def period(self) -> Period:
        """From the first day of any basin to the last day of any basin."""
        periods = [entry.period for entry in self.entries.values()]
        return Period(min(p.start for p in periods), max(p.end for p in periods))

    @property
    def metadata(self) -> dict[str, Mapping[str, Fact]]:
        return {basin: entry.facts for basin, entry in self.entries.items()}

    def observed_days(self, basin: str, period: Period) -> int:
        """Count the days of a period on which the basin's discharge was observed."""
        return self.entries[basin].observed_days(period)

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

    def text(self) -> str:
        """Return the content of ``manifest.json``, one line for each basin."""
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in {"where", "entries"}}
        plain["sizes"] = {path.rpartition("/")[2]: size for path, size in self.sizes.items()}
        content = {"format": FORMAT, "basins": len(self.entries)} | plain | {"period": [str(self.period.start), str(self.period.end)]}
        rows = ",\n".join(f"{json.dumps(basin)}: {json.dumps(entry.record(), allow_nan=False)}" for basin, entry in self.entries.items())
        return f"{json.dumps(content, indent=1, allow_nan=False).removesuffix(END)}{BEGIN}{rows}{END}{END}\n"

    @classmethod
    def open(cls, where: Where) -> "Manifest":
        """Read ``manifest.json`` of a shards folder, a path or URI; of several folders, what all have in common, of all their basins.

        Raises
        ------
        DataError
            There is none, it is damaged, or folders that cannot be taken together: a basin in two of them, a variable in two units.
        """
        if isinstance(where, str | Path):
            return cls._open(folder(where), absolute(where))
        if not where:
            raise DataError("at least one shards folder is required, got none")
        parts = [cls.open(one) for one in where]
        return parts[0] if len(parts) == 1 else _together(parts)

    @classmethod
    def _open(cls, place: Folder, home: str) -> "Manifest":
        try:
            head, lines = _apart(place.read(NAME).decode())
        except (FileNotFoundError, NotADirectoryError):
            if UNFINISHED in place.names():
                raise DataError(f"{place}: an ingest that has not ended; give the same `studyhub ingest` command again to end it") from None
            raise DataError(f"{place}: shards with a {NAME} are required, there is none; make them with `studyhub ingest`") from None
        except OSError as error:
            raise DataError(f"{place}/{NAME}: cannot be read ({error}); look at the address, the rights and the network") from None
        except ValueError as error:
            raise DataError(f"{place}/{NAME}: damaged ({error}), or written by an earlier version; ingest again") from None
        if head.get("format") != FORMAT:
            raise DataError(f"{place}/{NAME}: shards of format {FORMAT} are required, got {head.get('format')}; ingest again")
        try:
            return cls._from_json(home, head, Entries(lines, home))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise DataError(f"{place}/{NAME}: damaged ({error!r}); ingest again") from None

    @classmethod
    def _from_json(cls, home: str, head: dict[str, Any], entries: Entries) -> "Manifest":
        if len(entries) != head["basins"]:
            raise ValueError(f"{len(entries)} basins, {head['basins']} were written")
        found = cls(
            where=(home,),
            source=head["source"],
            settings=head["settings"],
            units=head["units"],
            attribute_names=tuple(head["attribute_names"]),
            codes={category: tuple(names) for category, names in head["codes"].items()},
            sizes={f"{home}/{file}": size for file, size in head["sizes"].items()},
            entries=entries,
            quality=head["quality"],
            left_out=head["left_out"],
            truth=tuple(head["truth"]),
            identity=head["identity"],
        )
        found.__dict__["period"] = Period(*map(date.fromisoformat, head["period"]))  # known without a look at any basin
        return found


def _apart(text: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Head of a manifest, and the text of each basin's entry; a ValueError where it is not as `Manifest.text` writes it."""
    head, begin, rest = text.partition(BEGIN)
    rows, end, _ = rest.rpartition(f"{END}{END}")
    if not begin or not end:
        raise ValueError("incomplete")
    content = json.loads(head + END)
    lines, decoder = {}, json.JSONDecoder()
    for row in rows.split(",\n"):
        name, after = decoder.raw_decode(row)
        if not isinstance(name, str) or not row.startswith(": ", after):
            raise ValueError(f"no basin in {row[:40]!r}")
        lines[name] = row[after + 2 :]
    return content, lines


def _together(parts: Sequence[Manifest]) -> Manifest:
    first, *others = parts
    for other in others:
        twice = sorted(set(first.entries) & set(other.entries))
        if twice:
            message = f"{first.folder} and {other.folder}: basins of different names are required, both have {shorten(twice)}"
            raise DataError(f"{message}; leave them out of one of the two")
        differ = [name for name in first.units if first.units[name] != other.units.get(name, first.units[name])]
        if differ:
            message = f"{differ[0]} is in {first.units[differ[0]]} in {first.folder} and in {other.units[differ[0]]} in {other.folder}"
            raise DataError(f"{message}; ingest one of them again in the other's unit")
        first = _pair(first, other)
    return first


def _pair(a: Manifest, b: Manifest) -> Manifest:
    # A category whose codes stand for other names in the other data set cannot be told to one network.
    alike = {name for name in a.attribute_names if name in b.attribute_names and a.codes.get(name) == b.codes.get(name)}
    checks = {**a.quality, **b.quality}
    return Manifest(
        where=(*a.where, *b.where),
        source=f"{a.source} + {b.source}",
        settings={},
        units={name: unit for name, unit in a.units.items() if name in b.units},
        attribute_names=tuple(name for name in a.attribute_names if name in alike),
        codes={name: names for name, names in a.codes.items() if name in alike},
        sizes={**a.sizes, **b.sizes},
        entries={**a.entries, **b.entries},
        quality={check: _added(a.quality.get(check, {}), b.quality.get(check, {})) for check in checks},
        left_out={**a.left_out, **b.left_out},
    )


def _added(a: Mapping[str, int], b: Mapping[str, int]) -> dict[str, int]:
    return {key: a.get(key, 0) + b.get(key, 0) for key in {**a, **b}}


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
