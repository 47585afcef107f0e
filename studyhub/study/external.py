"""Arms that are not trained here: simulations in a table, scored as they are.

Nothing is drawn, so such an arm has one cell per fold, with the seed 0.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from studyhub.errors import DataError
from studyhub.study.settings import Columns
from studyhub.study.wording import listed

if TYPE_CHECKING:
    from studyhub.study.yaml import Key

SEED = 0
KEYS = ("external", "columns")
CHUNK = 2**20  # bytes


@dataclass(frozen=True)
class ExternalArm:
    """A simulation under study that was made elsewhere; ``table`` is its file, an absolute path."""

    name: str
    table: Path
    columns: Columns = Columns()
    may_diverge: ClassVar[bool] = False

    @property
    def settings(self) -> tuple[Path, Columns]:
        """What it is, without its name."""
        return self.table, self.columns

    def meaningful(self) -> dict[str, Any]:
        """Every key of a study file that has a meaning for this arm, with its value."""
        return {"external": str(self.table), "columns": asdict(self.columns)}


def resolve(name: str, home: "Key", own: Mapping[str, Any]) -> tuple[ExternalArm, list[tuple["Key", str]]]:
    """Read an arm that says ``external``, and name everything in it that has no meaning for such an arm."""
    columns = Columns(**own["columns"].said()) if "columns" in own else Columns()
    return ExternalArm(name, Path(own["external"]).absolute(), columns), [
        ((*home, key), message) for key, message in _problems(own, columns)
    ]


def _problems(arm: Mapping[str, Any], columns: Columns) -> Iterator[tuple[str, str]]:
    for key in (key for key in arm if key not in KEYS):
        yield key, "has no meaning for an external arm, whose table is scored as it is; take it out, or take out `external`"
    called = list(asdict(columns).values())
    if len(set(called)) < len(called):
        yield "columns", f"basin, date and qsim need a column each, got {listed(called)}"


def content_hash(arm: ExternalArm) -> str:
    """Hash of the table's bytes, 16 hex digits.

    Raises
    ------
    DataError
        there is no such file, or it cannot be read
    """
    required = f"{arm.table}: arm `{arm.name}` needs this table (CSV or Parquet)"
    digest = hashlib.sha256()
    try:
        with arm.table.open("rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    except FileNotFoundError:
        raise DataError(f"{required}, there is none; a path starts from the folder where the command runs") from None
    except IsADirectoryError:
        raise DataError(f"{required}, it is a folder; name a file in it") from None
    except OSError as error:
        raise DataError(f"{required}, it cannot be read ({error.strerror or error})") from None
    return digest.hexdigest()[:16]
