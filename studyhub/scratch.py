"""A folder on this machine for copies that can be made again: decoded basins, homes that lie in an object store."""

import os
import tempfile
from pathlib import Path

VARIABLE = "STUDYHUB_CACHE"


def scratch(name: str) -> Path:
    """Return a folder of this user's own, made where it is missing: in ``$STUDYHUB_CACHE``, else where temporary files go.

    No other user can read or write it.

    Raises
    ------
    OSError
        It cannot be made, or another user made it.
    """
    given = os.environ.get(VARIABLE)
    if given:
        base = Path(given).absolute()
        base.mkdir(parents=True, exist_ok=True)
    else:  # where everyone may write, somebody else could have made it first
        base = _own(Path(tempfile.gettempdir()) / f"studyhub-{os.getuid()}")
    return _own(base / name)


def _own(folder: Path) -> Path:
    folder.mkdir(mode=0o700, exist_ok=True)
    # Of the folder itself: a link in its place may lead anywhere.
    found = os.lstat(folder)
    if not os.path.isdir(folder) or os.path.islink(folder) or found.st_uid != os.getuid():
        raise PermissionError(f"{folder}: a folder of this user's own is required there; remove it, or name another with {VARIABLE}")
    if found.st_mode & 0o077:
        folder.chmod(0o700)
    return folder
