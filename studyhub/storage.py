"""Folders of files, on this machine or in an object store (s3://, gs://): the few things that are done with them.

A file appears whole or not at all, in both. What goes wrong is an `OSError`, a missing file a `FileNotFoundError`. Credentials come from
where the store's own tools look for them (AWS_ACCESS_KEY_ID, AWS_PROFILE, GOOGLE_APPLICATION_CREDENTIALS, ...); AWS_ENDPOINT_URL
names another server that speaks S3.
"""

import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from studyhub.errors import DataError

REMOTE = ("s3", "gs")
CONNECT_SECONDS, PATIENCE_SECONDS = 10, 60


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


@dataclass(frozen=True)
class RemoteFolder:
    """A folder in an object store; ``path`` is bucket and key."""

    uri: str
    path: str

    def __str__(self) -> str:
        return self.uri

    @property
    def _store(self) -> Any:
        return _file_system(self.uri.partition("://")[0])

    def size(self, name: str) -> int:
        (info,) = self._store.get_file_info([f"{self.path}/{name}"])
        if not info.is_file:
            raise FileNotFoundError(f"{self.uri}/{name}")
        return info.size

    def read(self, name: str) -> bytes:
        with self._store.open_input_file(f"{self.path}/{name}") as file:
            return file.read()

    def source(self, name: str) -> Any:
        return self._store.open_input_file(f"{self.path}/{name}")

    def write(self, name: str, content: bytes) -> None:
        with self._store.open_output_stream(f"{self.path}/{name}") as file:
            file.write(content)

    def remove(self, name: str) -> None:
        with suppress(FileNotFoundError):
            self._store.delete_file(f"{self.path}/{name}")

    def names(self) -> tuple[str, ...]:
        from pyarrow.fs import FileSelector

        found = self._store.get_file_info(FileSelector(self.path, allow_not_found=True))
        return tuple(sorted(info.base_name for info in found))


def _emulated() -> dict[str, Any]:
    """Google's own tools take another server than theirs from STORAGE_EMULATOR_HOST, without credentials."""
    host = os.environ.get("STORAGE_EMULATOR_HOST")
    if not host:
        return {}
    scheme, apart, place = host.partition("://")
    return {"anonymous": True, "scheme": scheme if apart else "http", "endpoint_override": place if apart else host}


@lru_cache
def _file_system(scheme: str) -> Any:
    # Loaded here alone: a study on this machine's disk is planned without pyarrow.
    from pyarrow import fs

    if scheme == "gs":
        return fs.GcsFileSystem(retry_time_limit=timedelta(seconds=PATIENCE_SECONDS), **_emulated())
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return fs.S3FileSystem(
        endpoint_override=endpoint,
        region=region or ("us-east-1" if endpoint else None),
        connect_timeout=CONNECT_SECONDS,
        request_timeout=PATIENCE_SECONDS,
    )
