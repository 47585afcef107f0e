"""The zip file of an archive: how it is written, and what is checked of one that comes from elsewhere before anything of it is used."""

import hashlib
import json
import os
import re
import stat
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from studyhub.errors import StoreError
from studyhub.study.names import STUDY

FORMAT, MANIFEST = 1, "archive.json"
PART = r"[A-Za-z0-9][A-Za-z0-9_.+=-]*"
PLAIN = re.compile(PART)
NAME = re.compile(rf"archive\.json|study/{PART}|trials/[0-9a-f]{{16}}/{PART}")
COMPRESSED = (".parquet", ".npz")  # or of numbers that no compression makes smaller
CHUNK = 1 << 20
# Of what studyhub writes nothing shrinks to a hundredth; what promises to grow so much is made to fill a disk.
MOST_GROWTH, FREE_GROWTH = 200, 1 << 20
MOST_MANIFEST = 1 << 29


class Packing:
    """An archive that is being written; ``files`` is what it holds so far."""

    def __init__(self, file: BinaryIO):
        self._zip = zipfile.ZipFile(file, "w")
        self.files: dict[str, dict[str, Any]] = {}

    def add(self, name: str, path: Path) -> None:
        """Add a file. One that has gone meanwhile, as a study's may, is left out."""
        try:
            source = path.open("rb")
        except FileNotFoundError:
            return
        except OSError as error:
            raise StoreError(f"{path}: cannot be read ({error.strerror or error}), so the study cannot be exported") from None
        with source:
            found = os.fstat(source.fileno())
            self._write(name, iter(lambda: source.read(CHUNK), b""), found.st_size, found.st_mtime_ns)

    def add_json(self, name: str, content: Any, at: int) -> None:
        """Add plain values, as of the time ``at`` (ns since 1970)."""
        text = json.dumps(content, indent=None if isinstance(content, list) else 1, allow_nan=False).encode()
        self._write(name, iter([text]), len(text), at)

    def close(self, manifest: Mapping[str, Any]) -> None:
        """Add the manifest, with what is known of the files; the archive is complete."""
        self.add_json(MANIFEST, {"format": FORMAT, **manifest, "files": dict(self.files)}, time.time_ns())
        self._zip.close()

    def _write(self, name: str, chunks: Iterator[bytes], size: int, at: int) -> None:
        assert NAME.fullmatch(name), name
        # A zip file's times begin in 1980.
        info = zipfile.ZipInfo(name, time.localtime(max(at // 10**9, 400_000_000))[:6])
        info.compress_type = zipfile.ZIP_STORED if name.endswith(COMPRESSED) else zipfile.ZIP_DEFLATED
        info.external_attr, info.file_size = (stat.S_IFREG | 0o644) << 16, size
        digest, written = hashlib.sha256(), 0
        with self._zip.open(info, "w") as target:
            for chunk in chunks:
                digest.update(chunk)
                written += len(chunk)
                target.write(chunk)
        self.files[name] = {"sha256": digest.hexdigest(), "size": written, "at": at}


class Unpacking:
    """An archive that was found in order; ``study`` is the name of its study, ``manifest`` what it says of itself."""

    def __init__(self, path: Path, archive: zipfile.ZipFile, manifest: dict[str, Any]):
        self.path, self._zip, self.manifest = path, archive, manifest
        self.study: str = manifest["study"]
        self.files: dict[str, dict[str, Any]] = manifest["files"]

    @property
    def size(self) -> int:
        """Bytes of all files once they are unpacked."""
        return sum(file["size"] for file in self.files.values())

    def of_study(self) -> dict[str, str]:
        """Names of the study's files -> their names in the archive."""
        return {name.partition("/")[2]: name for name in self.files if name.startswith("study/")}

    def of_trials(self) -> dict[str, dict[str, str]]:
        """Trial -> its files, by their names -> their names in the archive."""
        found: dict[str, dict[str, str]] = {}
        for name in self.files:
            room, _, rest = name.partition("/")
            if room == "trials":
                trial, _, file = rest.partition("/")
                found.setdefault(trial, {})[file] = name
        return found

    def at(self, name: str) -> int:
        """When a file was written last, in ns since 1970."""
        return self.files[name]["at"]

    def read(self, name: str) -> bytes:
        return b"".join(self.chunks(name))

    def json(self, name: str) -> Any:
        try:
            return json.loads(self.read(name))
        except (ValueError, RecursionError):
            raise damaged(self.path, f"{name} holds no JSON") from None

    def chunks(self, name: str) -> Iterator[bytes]:
        """Content of a file, checked against its hash: an error comes before the last of it."""
        digest, left = hashlib.sha256(), self.files[name]["size"]
        try:
            with self._zip.open(name) as file:
                while chunk := file.read(CHUNK):
                    digest.update(chunk)
                    left -= len(chunk)
                    if left < 0 or (left == 0 and digest.hexdigest() != self.files[name]["sha256"]):
                        raise damaged(self.path, f"{name} is not what was written")
                    yield chunk
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
            raise damaged(self.path, f"{name}: {error}") from None
        if left:
            raise damaged(self.path, f"{name} is not what was written")


@contextmanager
def unpacking(path: Path, progress: Callable[[int, int], None] | None = None) -> Iterator[Unpacking]:
    """Open an archive and check all of it.

    Parameters
    ----------
    progress : called with files checked and files in all

    Raises
    ------
    StoreError
        It is no archive of ours, of a newer format, damaged, or made to do harm: what it holds lies elsewhere than in an archive, is no
        plain file, or is packed far more densely than ours.
    """
    with ExitStack() as stack:
        try:
            file = stack.enter_context(path.open("rb"))
            archive = stack.enter_context(zipfile.ZipFile(file))
            _require_plain(path, archive, os.fstat(file.fileno()).st_size)
            found = Unpacking(path, archive, _manifest(path, archive))
        except FileNotFoundError:
            raise StoreError(f"{path}: no such file; a file that `studyhub export` has written is required") from None
        except zipfile.BadZipFile as error:
            raise damaged(path, str(error)) from None
        except OSError as error:
            raise damaged(path, error.strerror or str(error)) from None
        for done, name in enumerate(found.files, 1):
            for _ in found.chunks(name):
                pass
            if progress is not None:
                progress(done, len(found.files))
        yield found


def damaged(path: Path, why: str) -> StoreError:
    return StoreError(f"{path}: not an archive of a study, or a damaged one ({why}); a file that `studyhub export` has written is required")


def _require_plain(path: Path, archive: zipfile.ZipFile, size: int) -> None:
    seen: set[str] = set()
    for info in archive.infolist():
        mode = info.external_attr >> 16
        if not NAME.fullmatch(info.filename) or info.orig_filename != info.filename:
            raise damaged(path, f"{info.orig_filename!r} is no name of a file in an archive")
        if info.filename in seen:
            raise damaged(path, f"it holds {info.filename} twice")
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            raise damaged(path, f"{info.filename} is no plain file")
        if info.flag_bits & 1:
            raise damaged(path, f"{info.filename} is encrypted")
        if info.file_size > MOST_GROWTH * info.compress_size + FREE_GROWTH:
            raise damaged(path, f"{info.filename} would grow from {info.compress_size} to {info.file_size} bytes")
        seen.add(info.filename)
    if sum(info.compress_size for info in archive.infolist()) > size:
        raise damaged(path, "its files overlap")


def _manifest(path: Path, archive: zipfile.ZipFile) -> dict[str, Any]:
    names = {info.filename: info.file_size for info in archive.infolist()}
    if MANIFEST not in names:
        raise damaged(path, f"it has no {MANIFEST}")
    if names[MANIFEST] > MOST_MANIFEST:
        raise damaged(path, f"its {MANIFEST} has {names[MANIFEST]} bytes")
    try:
        manifest = json.loads(archive.read(MANIFEST))
    except (ValueError, RecursionError, EOFError, NotImplementedError, zlib.error):
        raise damaged(path, f"its {MANIFEST} holds no JSON") from None
    given = manifest.get("format") if isinstance(manifest, dict) else None
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        raise damaged(path, f"its {MANIFEST} says no format")
    if given > FORMAT:
        made = (manifest.get("made_with") or {}).get("packages", {}).get("studyhub", "a newer one")
        message = f"{path}: an archive of format {given}, written by studyhub {made}; this one knows formats up to {FORMAT}"
        raise StoreError(f"{message}; update studyhub")
    files, study = manifest.get("files"), manifest.get("study")
    if not isinstance(study, str) or not STUDY.fullmatch(study):
        raise damaged(path, f"its {MANIFEST} names no study")
    if not isinstance(files, dict) or files.keys() != names.keys() - {MANIFEST}:
        raise damaged(path, f"its files are not those of its {MANIFEST}")
    for name, said in files.items():
        known = isinstance(said, dict) and isinstance(said.get("sha256"), str) and all(_is_count(said.get(key)) for key in ("size", "at"))
        if not known or said["size"] != names[name]:
            raise damaged(path, f"its {MANIFEST} does not say what {name} is")
    return manifest


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
