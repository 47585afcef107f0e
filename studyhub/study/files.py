"""Small files that are there in full or not at all, and errors that say what to do about a folder."""

import errno
import json
import math
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from studyhub.errors import StoreError

# What filesystems without hard links answer.
NO_LINKS = {errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EMLINK}
ADVICE = "make the folder writable, or choose another with --home DIR or STUDYHUB_HOME"


@contextmanager
def writing(path: Path, advice: str = ADVICE) -> Iterator[None]:
    """Turn the system's refusals to write ``path`` into one message."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"{path}: cannot be written ({error.strerror or error}); {advice}") from None


def make_folder(path: Path, advice: str = ADVICE) -> Path:
    with writing(path, advice):
        path.mkdir(parents=True, exist_ok=True)
    return path


def check_writable(folder: Path) -> None:
    """Raise a StoreError unless files can be made in ``folder``, which is made where it is missing."""
    probe = make_folder(folder) / temporary_name("writable")
    with writing(folder):
        probe.touch()
        probe.unlink()


def now_on(folder: Path) -> float:
    """Time [s] by the clock that stamps files in ``folder``: on a shared filesystem the clocks of machines differ."""
    probe = folder / temporary_name("clock")
    try:
        probe.touch()
        return probe.stat().st_mtime
    except OSError:
        return time.time()
    finally:
        with suppress(OSError):
            probe.unlink()


def write_texts(texts: Mapping[Path, str | bytes], advice: str = ADVICE) -> None:
    """Write several files: each appears in full or not at all, and none does if any cannot be written."""
    written: dict[Path, Path] = {}
    try:
        for path, text in texts.items():
            temporary = path.with_name(temporary_name(path.name))
            with writing(path, advice):
                written[temporary] = path
                _write_through(temporary, text)
        for temporary, path in written.items():
            with writing(path, advice):
                os.replace(temporary, path)
    finally:
        for temporary in written:
            with suppress(OSError):
                temporary.unlink()


def write_json(path: Path, content: Any) -> None:
    write_texts({path: _json(content)})


def write_json_once(path: Path, content: Any) -> bool:
    """Write a file that is not there yet, in full or not at all; False where it is there. Of processes that do so at once, one succeeds."""
    if path.exists():
        return False
    temporary = path.with_name(temporary_name(path.name))
    try:
        with writing(path):
            _write_through(temporary, _json(content))
            return name_once(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink()


def name_once(temporary: Path, path: Path) -> bool:
    """Give a file its name, unless another has it."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        # A network filesystem may do it, lose its answer, do it again and find it done.
        return os.path.samefile(temporary, path)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        try:
            path.touch(exist_ok=False)
        except FileExistsError:
            return False
        os.replace(temporary, path)
    return True


def _json(content: Any) -> str:
    return json.dumps(plain(content), indent=1, allow_nan=False) + "\n"


def read_json(path: Path | str) -> dict[str, Any] | None:
    """Read a JSON object; None where there is no file.

    Raises
    ------
    ValueError
        The file cannot be read, or holds something else.
    """
    try:
        with open(path, "rb") as file:
            content = json.loads(file.read())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (ValueError, RecursionError):
        raise ValueError(f"{path}: incomplete or damaged") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path}: incomplete or damaged")
    return content


def _write_through(path: Path, text: str | bytes) -> None:
    with path.open("xb") as file:
        file.write(text.encode() if isinstance(text, str) else text)
        file.flush()
        os.fsync(file.fileno())


def temporary_name(name: str) -> str:
    return f".{name}.{os.getpid()}-{secrets.token_hex(4)}"


def plain(value: Any) -> Any:
    """JSON's own types: a trained trial must not be lost over a NaN or a number of NumPy's."""
    match value:
        case None | bool() | str() | int():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
    scalar = getattr(value, "item", None)
    return plain(scalar()) if callable(scalar) else str(value)
