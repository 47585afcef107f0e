"""Lists of basins and periods as a table that can be published: a study's folds go out, and come in again as a study's split."""

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import ClassVar, NamedTuple, Protocol

from studyhub.errors import DataError
from studyhub.study.settings import Period, Split
from studyhub.study.wording import listed, nearest

COLUMNS = ("fold", "name", "role", "basin", "start", "end")
NEEDED = ("fold", "role", "basin", "start", "end")
ROLES = ("train", "test")
TITLES = ("basin", "basin_id", "basins", "catchment", "catchment_id", "gage_id", "gauge", "gauge_id", "id", "site_no", "station_id")


class Fold(Protocol):
    @property
    def number(self) -> int: ...

    @property
    def name(self) -> str: ...

    @property
    def train_basins(self) -> tuple[str, ...]: ...

    @property
    def test_basins(self) -> tuple[str, ...]: ...


class Row(NamedTuple):
    """One basin in one role of one fold, and its days."""

    fold: int
    name: str
    role: str
    basin: str
    start: date
    end: date


@dataclass(frozen=True)
class Frozen:
    """Folds as rows: by fold, those that train first, then by basin."""

    rows: tuple[Row, ...]

    @classmethod
    def of(cls, folds: Iterable[Fold], split: Split) -> "Frozen":
        roles = ((fold, role, basins) for fold in folds for role, basins in zip(ROLES, (fold.train_basins, fold.test_basins), strict=True))
        periods = {"train": split.train, "test": split.test}
        rows = [
            Row(fold.number, fold.name, role, basin, periods[role].start, periods[role].end)
            for fold, role, basins in roles
            for basin in sorted(basins)
        ]
        return cls(tuple(rows))

    @property
    def hash(self) -> str:
        """16 hex digits that stand for these lists."""
        return hashlib.sha256(self.to_csv().encode()).hexdigest()[:16]

    def to_csv(self) -> str:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(self.rows)
        return text.getvalue()

    @classmethod
    def from_csv(cls, path: str | Path) -> "Frozen":
        """Read lists; columns fold, role (train or test), basin, start, end, and name where folds have one.

        Folds that are not numbered from 1 on are, in their order, and keep what they were called as their name.

        Raises
        ------
        DataError
            the file cannot be read as such a table; file and line are named
        """
        table = list(_table(path))
        calls = dict.fromkeys(row["fold"] for _, row in table)
        if all(call.isdecimal() for call in calls):
            calls = dict.fromkeys(sorted(calls, key=int))
        number = {call: place for place, call in enumerate(calls, start=1)}
        rows: dict[tuple[int, str, str], Row] = {}
        for line, row in table:
            fold = number[row["fold"]]
            key = (fold, row["role"], row["basin"])
            if key in rows:
                raise DataError(f"{path}:{line}: basin {row['basin']} stands twice as {row['role']} of fold {row['fold']}; keep one")
            rows[key] = Row(fold, row.get("name") or row["fold"], row["role"], row["basin"], *_period(path, line, row))
        ordered = sorted(rows.values(), key=lambda row: (row.fold, ROLES.index(row.role), row.basin))
        return cls(tuple(ordered))

    def periods(self, path: str | Path) -> dict[str, Period]:
        """Days of each role, which all of its basins must share: a trial has one period to train and one to be judged."""
        found: dict[str, tuple[Period, Row]] = {}
        for row in self.rows:
            period = Period(row.start, row.end)
            other, first = found.setdefault(row.role, (period, row))
            if other != period:
                message = f"all `{row.role}` rows must have one period: basin {first.basin} in fold {first.name} has {other}"
                raise DataError(f"{path}: {message}, basin {row.basin} in fold {row.name} has {period}; make a study of each")
        absent = [role for role in ROLES if role not in found]
        if absent:
            raise DataError(f"{path}: rows of role `{absent[0]}` are required, there is none")
        return {role: period for role, (period, _) in found.items()}


@dataclass(frozen=True)
class Lists:
    """Folds as a file has them, imported as they are. The file is an absolute path."""

    kind: ClassVar[str] = "frozen"
    file: str

    def folds(self, basins: Sequence[str], split: Split) -> Iterator[tuple[int, str, tuple[str, ...], tuple[str, ...]]]:
        """Number, name, basins that train and basins that are tested of each fold, in the order of ``basins``."""
        frozen = Frozen.from_csv(self.file)
        for role, period in frozen.periods(self.file).items():
            said = getattr(split, role)
            if said != period:
                raise DataError(f"{self.file}: its `{role}` period is {period}, the study's {said}; take `split.{role}` out of the study")
        absent = sorted({row.basin for row in frozen.rows}.difference(basins))
        if absent:
            message = f"{self.file}: {len(absent)} of its basins are not among the study's: {listed(absent)}; {nearest(absent[0], basins)}"
            raise DataError(f"{message}; look at `data.basins`, `exclude` and `without`, or take them out of the list")
        lists: dict[int, tuple[str, dict[str, set[str]]]] = {}
        for row in frozen.rows:
            lists.setdefault(row.fold, (row.name, {role: set() for role in ROLES}))[1][row.role].add(row.basin)
        for number, (name, chosen) in lists.items():
            train, test = (tuple(basin for basin in basins if basin in chosen[role]) for role in ROLES)
            yield number, name, train, test


def _table(path: str | Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Line and fields of each row."""
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        lacking = [name for name in NEEDED if name not in (reader.fieldnames or ())]
        if lacking:
            found = listed(reader.fieldnames or ())
            raise DataError(f"{path}: columns {', '.join(NEEDED)} are required, it lacks {listed(lacking)}; it has {found}")
        for row in reader:
            plain = {name: (row.get(name) or "").strip() for name in COLUMNS}
            empty = [name for name in NEEDED if not plain[name]]
            if empty:
                raise DataError(f"{path}:{reader.line_num}: every row needs {', '.join(NEEDED)}; here is no {listed(empty)}")
            if plain["role"] not in ROLES:
                raise DataError(f"{path}:{reader.line_num}: a role is `train` or `test`, got {plain['role']!r}")
            yield reader.line_num, plain
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: a table in CSV is required, this line is not ({error})") from None


def _period(path: str | Path, line: int, row: dict[str, str]) -> tuple[date, date]:
    try:
        start, end = date.fromisoformat(row["start"]), date.fromisoformat(row["end"])
    except ValueError:
        raise DataError(f"{path}:{line}: days such as 1989-10-01 are required, got {row['start']!r} and {row['end']!r}") from None
    if start > end:
        raise DataError(f"{path}:{line}: an empty period: its first day {start} comes after its last day {end}")
    return start, end


def read_text(path: str | Path) -> str:
    """Return the text of a list, UTF-8."""
    try:
        return Path(path).read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        required = f"{path}: this list of basins is required, there is none"
        raise DataError(f"{required}; a path starts from the folder where the command runs") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: text in UTF-8 is required, byte {error.start} is not") from None
    except OSError as error:
        raise DataError(f"{path}: this list of basins cannot be read ({error.strerror or error})") from None


def read_basins(path: str | Path) -> tuple[str, ...]:
    """Read basin ids: one a line, or the first column of a CSV file.

    ``#`` begins a remark; a first line such as ``gauge_id`` is a title.

    Raises
    ------
    DataError
        the file cannot be read, names no basin, or names one twice
    """
    found: dict[str, int] = {}
    for line, text in enumerate(read_text(path).splitlines(), start=1):
        basin = text.partition("#")[0].replace(";", ",").partition(",")[0].strip().strip("\"'").strip()
        if not basin or (not found and basin.lower() in TITLES):
            continue
        if basin in found:
            raise DataError(f"{path}:{line}: basin {basin} stands on line {found[basin]} too; keep one")
        found[basin] = line
    if not found:
        raise DataError(f"{path}: basin ids are required, one a line, there is none")
    return tuple(found)
