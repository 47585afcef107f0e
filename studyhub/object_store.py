"""A folder in an object store (s3://, gs://): what `studyhub.storage` does with folders, and what moving whole homes needs.

A store that is away for a while is tried again. pyarrow is loaded with the first request.
"""

import mmap
import os
import re
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

CONNECT_SECONDS, PATIENCE_SECONDS = 10, 60
LONGEST_PAUSE = 10.0  # s between two tries
TORN_TRIES = 50
PIECE = 16 * 2**20  # bytes of a file that are fetched at once
# What a store answers that will answer the same the next time, and what to do.
ANSWERS = {
    "NO_SUCH_BUCKET|NOT_FOUND": "there is no such bucket; make it, or look at its name",
    "ACCESS_DENIED|PERMISSION_DENIED|status 403": "access is denied; look at the credentials in the environment and at their rights",
    "INVALID_ACCESS_KEY_ID|SIGNATURE_DOES_NOT_MATCH|INVALID_CLIENT_TOKEN_ID|UNRECOGNIZED_CLIENT|MISSING_AUTHENTICATION_TOKEN"
    "|INVALID_SIGNATURE|UNAUTHENTICATED|status 401": "the credentials in the environment are wrong",
    "EXPIRED_TOKEN|ExpiredToken": "the credentials in the environment have expired",
}
AWAY = "NETWORK_CONNECTION"
SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID")


@dataclass(frozen=True)
class Listed:
    """A file of an object store: its size in bytes, and when it was written, in seconds by the store's clock."""

    size: int
    written: float


_answered = set[str]()  # kinds of stores that this process has had an answer of


def _patiently(act: Callable[Concatenate["RemoteFolder", P], T]) -> Callable[Concatenate["RemoteFolder", P], T]:
    """Try again, for as long as the folder's patience lasts, while the store is away."""

    @wraps(act)
    def patient(self: "RemoteFolder", *args: P.args, **options: P.kwargs) -> T:
        kind = self.uri.partition("://")[0]
        known = PATIENCE_SECONDS if kind in _answered else 0
        until, pause = time.monotonic() + (known if self.patience is None else self.patience), 1.0
        while True:
            try:
                answer = act(self, *args, **options)
                _answered.add(kind)
                return answer
            except OSError as error:
                if not is_passing(error) or time.monotonic() + pause > until:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    return patient


@dataclass(frozen=True)
class RemoteFolder:
    """A folder in an object store; ``path`` is bucket and key. Names of its files may hold "/".

    ``patience`` is for how many seconds a store that is away is tried again; None: a minute, if it has answered this process before.
    """

    uri: str
    path: str
    patience: float | None = None

    def __str__(self) -> str:
        return self.uri

    @property
    def _store(self) -> Any:
        return file_system(self.uri.partition("://")[0])

    @_patiently
    def require_bucket(self) -> None:
        """Raise a FileNotFoundError where there is no such bucket."""
        bucket = self.path.partition("/")[0]
        (info,) = self._store.get_file_info([bucket])
        if info.type.name == "NotFound":
            raise FileNotFoundError(f"{bucket}: NO_SUCH_BUCKET")

    @_patiently
    def size(self, name: str) -> int:
        (info,) = self._store.get_file_info([f"{self.path}/{name}"])
        if not info.is_file:
            raise FileNotFoundError(f"{self.uri}/{name}")
        return info.size

    @_patiently
    def read(self, name: str) -> bytes:
        return self._whole(name, lambda file: file.read())

    def _whole(self, name: str, take: Callable[[Any], T]) -> T:
        """Take what a file holds; once more where it was written anew meanwhile: its length is asked before, and it may come in pieces."""
        for _ in range(TORN_TRIES):
            with self.source(name) as file:
                taken = take(file)
                with self.source(name) as now:
                    if (now.size(), now.metadata()) == (file.size(), file.metadata()):
                        return taken
        raise OSError(f"{self.uri}/{name}: is written anew faster than it can be read")

    @_patiently
    def source(self, name: str) -> Any:
        return self._store.open_input_file(f"{self.path}/{name}")

    @_patiently
    def write(self, name: str, content: bytes | mmap.mmap) -> None:
        with self._store.open_output_stream(f"{self.path}/{name}", compression=None) as file:
            file.write(content)

    @_patiently
    def remove(self, name: str) -> None:
        with suppress(FileNotFoundError):
            self._store.delete_file(f"{self.path}/{name}")

    @_patiently
    def names(self) -> tuple[str, ...]:
        from pyarrow.fs import FileSelector

        found = self._store.get_file_info(FileSelector(self.path, allow_not_found=True))
        return tuple(sorted(info.base_name for info in found))

    @_patiently
    def walk(self, below: str = "") -> dict[str, Listed]:
        """Return all files in ``below``, at any depth, by name. A thousand of them are one request.

        A name that would lead out of a folder of this machine is none of ours, and left out.
        """
        from pyarrow.fs import FileSelector

        selector = FileSelector(f"{self.path}/{below}".rstrip("/"), allow_not_found=True, recursive=True)
        found = (info for info in self._store.get_file_info(selector) if info.is_file)
        named = {info.path.removeprefix(f"{self.path}/"): Listed(info.size, info.mtime.timestamp()) for info in found}
        return {name: listed for name, listed in named.items() if not {"", ".", ".."}.intersection(name.split("/"))}

    @_patiently
    def fetch(self, name: str, path: Path) -> None:
        """Copy a file to this machine, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
        try:

            def take(source: Any) -> None:
                with partial.open("wb") as file:
                    while piece := source.read(PIECE):
                        file.write(piece)

            self._whole(name, take)
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)

    def send(self, name: str, path: Path) -> int:
        """Copy a file of this machine, whole or not at all; return its size."""
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            # Not read bit by bit: a stream that ends early, for whatever reason, would be a file.
            if not size:
                self.write(name, b"")
            else:
                with mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) as content:
                    self.write(name, content)
        return size


def is_passing(error: OSError) -> bool:
    """Tell whether an object store that answered so may do better the next time."""
    # What the disk and Python say has a number, what the store says has none.
    return error.errno is None and not isinstance(error, FileNotFoundError) and _known(error) is None


def cause(error: OSError) -> str:
    """Say in one line what an object store has answered, without secrets."""
    text = _known(error) or (str(error).splitlines() or [type(error).__name__])[0].partition(" (Request ID")[0]
    if AWAY in text:
        text = f"the object store does not answer ({text.rpartition('Details: ')[2]}); look at the network and at its address"
    for name in SECRETS:
        if secret := os.environ.get(name):
            text = text.replace(secret, "***")
    return text


def _known(error: OSError) -> str | None:
    return next((told for pattern, told in ANSWERS.items() if re.search(pattern, str(error))), None)


def _emulated() -> dict[str, Any]:
    """Google's own tools take another server than theirs from STORAGE_EMULATOR_HOST, without credentials."""
    host = os.environ.get("STORAGE_EMULATOR_HOST")
    if not host:
        return {}
    scheme, apart, place = host.partition("://")
    return {"anonymous": True, "scheme": scheme if apart else "http", "endpoint_override": place if apart else host}


@lru_cache
def file_system(scheme: str) -> Any:
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
        allow_delayed_open=True,  # a small file is one request then, not three
    )
