"""What is global to a process, for workers that run one trial after the other: each finds it as if it were the first."""

import os
import random
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def contained(seed: int, cpus: int) -> Iterator[None]:
    """Set what is global to known values for one trial, and put back in the end what belongs to the process.

    Parameters
    ----------
    seed, cpus : of the trial
    """
    import numpy as np

    with warnings.catch_warnings(), np.errstate(), np.printoptions(), _environment(), _folder(), _signals():
        reset_globals(seed, cpus)
        yield


def reset_globals(seed: int, cpus: int) -> None:
    """Set all that one trial could leave behind in a process that the next one uses again.

    The science takes explicit generators; the global ones are seeded so that a library's own draw repeats too.
    """
    # cuBLAS repeats its sums only with this; it is read when the first CUDA context is made.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    np.seterr(divide="warn", over="warn", under="ignore", invalid="warn")
    torch.manual_seed(seed)
    torch.set_num_threads(cpus)
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)
    torch.set_grad_enabled(True)
    torch.set_flush_denormal(False)
    torch.set_printoptions(profile="default")
    torch.autograd.set_detect_anomaly(False)
    torch.set_float32_matmul_precision("highest")
    torch.set_deterministic_debug_mode("warn")  # `use_deterministic_algorithms` would load the compiler too, which takes 2 s
    # It would cost time, and nothing here reads memory that was never set.
    torch.utils.deterministic.fill_uninitialized_memory = False  # pyright: ignore[reportAttributeAccessIssue]
    torch.backends.cudnn.enabled, torch.backends.cudnn.benchmark = True, False
    torch.backends.cudnn.deterministic, torch.backends.cudnn.allow_tf32 = False, True
    torch.backends.mkldnn.enabled = True  # pyright: ignore[reportAttributeAccessIssue]
    warnings.resetwarnings()
    warnings.simplefilter("ignore")


@contextmanager
def _environment() -> Iterator[None]:
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        for name, value in before.items():
            if os.environ.get(name) != value:
                os.environ[name] = value


@contextmanager
def _folder() -> Iterator[None]:
    before = os.getcwd()
    try:
        yield
    finally:
        with suppress(OSError):
            os.chdir(before)


@contextmanager
def _signals() -> Iterator[None]:
    """Python lets only a process's main thread change them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in signal.valid_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)
