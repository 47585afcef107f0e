"""Why a trial failed: what kind of fault it was, and what to do about it."""

import errno
from pathlib import Path

from studyhub.errors import DataError, LossError, StoreError, StudyhubError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
NO_MEMORY = ("out of memory", "out_of_memory", "can't allocate memory", "cannot allocate memory", "alloc_failed")


def kind(error: BaseException) -> str:
    """One of "memory" (also a GPU's), "disk", "data", "loss" (not a number), and "code", which is all else."""
    if _is_memory(error):
        return "memory"
    system = _system_error(error)
    if system is not None and (isinstance(error, StoreError) or system.errno in FULL):
        return "disk"
    if isinstance(error, LossError):
        return "loss"
    return "data" if isinstance(error, DataError | StoreError) else "code"


def told(error: BaseException, home: Path | str) -> str:
    """Say in one line what happened and, where the machine is to blame, what to do.

    Parameters
    ----------
    home : the folder that the trial's files are under
    """
    system = _system_error(error)
    if system is not None and system.errno in FULL:
        why = system.strerror or str(system)
        cure = (
            "make room there, or choose another folder with --home DIR or STUDYHUB_HOME, and launch again: it goes on from its checkpoint"
        )
        return f"{home}: the disk is full or a limit is reached ({' '.join(why.split())}); {cure}"
    return one_line(error)


def one_line(error: BaseException) -> str:
    """An error in one line: our own as they are, others with their kind."""
    text = " ".join(str(error).split())
    return text if isinstance(error, StudyhubError) else f"{type(error).__name__}: {text}".rstrip(": ")


def _is_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    # Torch, cuBLAS, cuDNN and numba have an error each, and only some have a class of its own.
    text = f"{type(error).__name__}: {error}".lower()
    return not isinstance(error, StudyhubError) and any(words in text for words in NO_MEMORY)


def _system_error(error: BaseException) -> OSError | None:
    """The refusal of the system that an error tells of, if any."""
    told: BaseException | None = error
    while told is not None:
        if isinstance(told, OSError):
            return told
        told = told.__cause__ or told.__context__
    return None
