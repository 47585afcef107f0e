"""Memory that training gives back and takes again at every update."""

import ctypes
import functools
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of glibc's malloc.h


@functools.cache
def keep_freed_memory() -> bool:
    """Have the C library keep what this process frees, instead of returning it to the system; whether that worked.

    Otherwise the system maps and clears the same hundreds of MB page by page at every update: an LSTM's update on two CPU cores (hidden
    size 64, 256 windows of 730 days) takes 0.6 s instead of 0.3 s. The process stays as large as it once was, and its peak is
    about 1.5 times what it would be. Only glibc has the setting.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(M_MMAP_MAX, 0)) and bool(mallopt(M_TRIM_THRESHOLD, 2**31 - 1))
