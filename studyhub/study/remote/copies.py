"""A home in an object store, and the copy of it that one machine works on.

The object store holds the truth, in the layout of `studyhub.study.store`; the copy is a home like any other. Attempts are numbered on each
copy, so that in the object store a number is followed by six digits that tell the copies apart: ``attempt-002`` of the copy 482913 is
``attempt-002482913`` there. The epochs of an attempt are one file there, ``epochs.json``.
"""

import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from studyhub.errors import StoreError
from studyhub.object_store import RemoteFolder, cause
from studyhub.scratch import VARIABLE, scratch
from studyhub.storage import REMOTE, folder, last_part
from studyhub.study.files import read_json, write_json_once, writing
from studyhub.study.leases import attempt_name

HOMES, MARKER = "homes", "object-store.json"
FORMAT, HOME_ID = "store/format.json", "studies/.home-id"
TOKEN_DIGITS = 6
# The same URI is another place on another server.
SERVERS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "STORAGE_EMULATOR_HOST")
# A path object makes s3:/b/x of s3://b/x.
URI = re.compile(rf"({'|'.join(REMOTE)}):/+(.*)", re.S)


@dataclass(frozen=True)
class Copy:
    """The copy ``path`` of the home at ``uri``.

    Parameters
    ----------
    token : six digits that tell what was made here from what was made on other copies
    patience : seconds that an object store that is away is tried again; None: as `RemoteFolder` has it
    """

    path: Path
    uri: str
    token: str
    patience: float | None = None

    @property
    def store(self) -> RemoteFolder:
        found = folder(self.uri)
        assert isinstance(found, RemoteFolder)
        return replace(found, patience=self.patience)

    def trial_folder(self, trial: str) -> Path:
        return self.path / "store" / "trials" / trial

    def remote_name(self, number: int) -> str:
        """Number of one of our attempts, as it is called in the object store."""
        return f"{number:03}{self.token}"

    @contextmanager
    def reaching(self) -> Iterator[None]:
        """Turn what the object store or the disk refuses into one message."""
        try:
            yield
        except OSError as error:
            if error.errno is not None and not isinstance(error, FileNotFoundError):
                advice = f"name another folder for the copy of {self.uri} with {VARIABLE}"
                raise StoreError(f"{error.filename or self.path}: cannot be written ({error.strerror}); {advice}") from None
            raise StoreError(f"{self.uri}: {cause(error)}") from None


def locate(home: str | Path, patience: float | None = None) -> Path:
    """Return a home as a folder of this machine: itself, or the copy of one that lies in an object store.

    The object store is asked for its format and identity; nothing else is fetched.

    Raises
    ------
    StoreError
        It does not answer, has no such bucket, or does not let us in.
    """
    uri = _uri(home)
    if uri is None:
        if isinstance(home, str) and "://" in home:
            raise StoreError(f"{home}: a folder is required, or an object store by a URI that begins with s3:// or gs://")
        return Path(home)
    copy = replace(_copy(uri), patience=patience)
    with copy.reaching():
        copy.store.require_bucket()
        for name in (FORMAT, HOME_ID):
            try:
                copy.store.fetch(name, copy.path / name)
            except FileNotFoundError:
                continue
    return copy.path


def copy_of(home: Path) -> Copy | None:
    """Tell which home in an object store a folder is the copy of, if any."""
    return _marked(home.absolute())


def origin(home: Path) -> str:
    """What a home is called outside of this machine: the URI of which it is a copy, or its absolute path."""
    copy = copy_of(home)
    return str(home.absolute()) if copy is None else copy.uri


def apart(digits: str) -> tuple[int, str]:
    """Number of an attempt and token of its copy, from its name in the object store; no token where a folder was put there as it was."""
    return (int(digits[:-TOKEN_DIGITS]), digits[-TOKEN_DIGITS:]) if len(digits) > TOKEN_DIGITS else (int(digits), "")


def attempt_at(name: str) -> tuple[str, str] | None:
    """Digits of an attempt and name of the file in it, from a name in a trial's folder in the object store."""
    found = re.fullmatch(r"attempt-(\d{3,})/(.+)", name)
    return (found[1], found[2]) if found else None


def lease_at(name: str) -> str | None:
    found = re.fullmatch(r"lease-(\d{3,})\.json", name)
    return found[1] if found else None


def local_name(digits: str) -> str:
    """Name of the folder of an attempt here, from its digits in the object store."""
    return attempt_name(apart(digits)[0])


def _uri(home: str | Path) -> str | None:
    found = URI.fullmatch(str(home))
    return str(folder(f"{found[1]}://{found[2]}")) if found else None


def _copy(uri: str) -> Copy:
    """Open the copy of a home, or begin one."""
    advice = f"name another folder with {VARIABLE}"
    try:
        homes = scratch(HOMES)
    except OSError as error:
        told = str(error) if error.errno is None else f"{error.filename}: {error.strerror}; {advice}"
        raise StoreError(f"no copy of {uri} can be kept here: {told}") from None
    place = [uri, *(os.environ.get(name, "") for name in SERVERS)]
    path = homes / f"{last_part(uri)}-{hashlib.sha256(' '.join(place).encode()).hexdigest()[:12]}"
    if (copy := copy_of(path)) is None:
        with writing(path, advice):
            path.mkdir(exist_ok=True)
        # Of processes that begin it at once, one gives it its token.
        write_json_once(path / MARKER, {"uri": uri, "token": f"{secrets.randbelow(10**TOKEN_DIGITS):0{TOKEN_DIGITS}}"})
        _marked.cache_clear()
        if (copy := copy_of(path)) is None:
            raise StoreError(f"{path / MARKER}: damaged; remove {path} if no launch is at work there: it is but a copy of {uri}")
    return copy


@lru_cache(maxsize=64)
def _marked(path: Path) -> Copy | None:
    try:
        said = read_json(path / MARKER)
    except ValueError:
        said = None
    if said is None or not isinstance(said.get("uri"), str) or not re.fullmatch(rf"\d{{{TOKEN_DIGITS}}}", str(said.get("token"))):
        return None
    return Copy(path, said["uri"], said["token"])
