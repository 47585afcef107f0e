"""Folders of files, on this machine or in an object store (s3://, gs://): the few things that are done with them.

A file appears whole or not at all, in both. What goes wrong is an `OSError`, a missing file a `FileNotFoundError`. Credentials come from
where the store's own tools look for them (AWS_ACCESS_KEY_ID, AWS_PROFILE, GOOGLE_APPLICATION_CREDENTIALS, ...); AWS_ENDPOINT_URL
names another server that speaks S3.
"""

import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from studyhub.errors import DataError
from studyhub.object_store import RemoteFolder

REMOTE = ("s3", "gs")


class Folder(Protocol):
    """A folder; ``str()`` of it is its path or URI."""

    def size(self, name: str) -> int:
        """Bytes of a file."""
        ...

    def read(self, name: str) -> bytes: ...

    def source(self, name: str) -> Any:
        """What a reader of Parquet files takes."""
        ...

    def write(self, name: str, content: bytes) -> None: ...

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        ...

    def names(self) -> tuple[str, ...]:
        """Names of the files in it, sorted; none where there is no such folder."""
        ...


def is_remote(where: str | Path) -> bool:
    return isinstance(where, str) and where.partition("://")[0] in REMOTE and "://" in where


def absolute(where: str | Path) -> str:
    """Return a URI as it is, a path from the root."""
    return str(where) if is_remote(where) else str(Path(where).absolute())


def last_part(where: str | Path) -> str:
    """Return the name of the folder itself."""
    return str(where).rstrip("/").rpartition("/")[2] if is_remote(where) else Path(where).absolute().name


def folder(where: str | Path) -> Folder:
    """Return the folder at a path or URI; it need not exist.

    Raises
    ------
    DataError
        the URI is of a kind that is not known, or holds credentials
    """
    text = str(where)
    if not is_remote(text):
        scheme, apart, _ = text.partition("://")
        if apart and scheme.isalnum():
            raise DataError(f"{text}: a path or a URI that begins with s3:// or gs:// is required")
        return LocalFolder(Path(where))
    scheme, _, rest = text.partition("://")
    bucket, _, path = rest.partition("/")
    if not bucket or "@" in bucket:
        wrong = "credentials belong into the environment, not into a URI" if bucket else "the name of a bucket is required"
        raise DataError(f"{scheme}://...: {wrong}; write {scheme}://BUCKET/FOLDER")
    return RemoteFolder(f"{scheme}://{rest.rstrip('/')}", f"{bucket}/{path}".strip("/"))


@dataclass(frozen=True)
class LocalFolder:
    path: Path

    def __str__(self) -> str:
        return str(self.path)

    def size(self, name: str) -> int:
        return (self.path / name).stat().st_size

    def read(self, name: str) -> bytes:
        return (self.path / name).read_bytes()

    def source(self, name: str) -> Path:
        return self.path / name

    def write(self, name: str, content: bytes) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        partial = self.path / f".{name}.{os.getpid()}-{secrets.token_hex(4)}"
        try:
            with partial.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, self.path / name)
        finally:
            with suppress(OSError):
                partial.unlink()

    def remove(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)

    def names(self) -> tuple[str, ...]:
        try:
            # What a kill has left of a `write` is not among them.
            return tuple(sorted(entry.name for entry in os.scandir(self.path) if not entry.name.startswith(".")))
        except (FileNotFoundError, NotADirectoryError):
            return ()
