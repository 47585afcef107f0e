"""The errors a user can meet: what was required, what was given, what to do. One message, never a traceback."""

from pathlib import Path


class StudyhubError(Exception):
    """Anything expected that stops the work. ``exit_code`` is what the command line returns."""

    exit_code = 2


class SpecError(StudyhubError):
    """A study file says something that cannot be run.

    Parameters
    ----------
    message : what was required, what was given, what to do
    file : the study file
    line : line in that file, counted from 1
    key : path of the key, such as ``arms.implicit.scheme``
    """

    def __init__(self, message: str, *, file: str | Path | None = None, line: int | None = None, key: str | None = None):
        place = "" if file is None else f"{file}:{line}: " if line else f"{file}: "
        super().__init__(place + (f"`{key}`: " if key else "") + message)
        self.message, self.file, self.line, self.key = message, file, line, key


class DataError(StudyhubError):
    """Basins, forcing, attributes or shards are missing, damaged or unfit for the study."""


class LossError(DataError):
    """A training has come to a loss that is not a finite number."""


class StoreError(StudyhubError):
    """The folder of studies or trials cannot be read or written."""


class ResourceError(StudyhubError):
    """A machine or cluster does not have the processors, GPUs or memory that are asked for."""


class TrackingError(StudyhubError):
    """MLflow cannot be reached, refuses what it is asked, or cannot show its pages."""
