"""Run a kernel on an NVIDIA GPU, one thread per unit, or on numba's simulator of one (``NUMBA_ENABLE_CUDASIM=1``)."""

from collections.abc import Callable
from typing import Any

import torch
from numba import cuda
from numba.core import config
from torch import Tensor

# Units are few and days are many: small blocks spread them over all multiprocessors.
THREADS = 32


def simulated() -> bool:
    return bool(config.ENABLE_CUDASIM)  # pyright: ignore[reportAttributeAccessIssue]


def available() -> bool:
    return simulated() or cuda.is_available()


def array(tensor: Tensor) -> Any:
    """The tensor's memory as a flat array."""
    flat = tensor.detach().contiguous().view(-1)
    if not len(flat):  # memory of no size has no address that a driver would know
        flat = flat.new_empty(1)
    return flat.numpy() if simulated() else cuda.as_cuda_array(flat, sync=False)


def launch(entry: Callable, blocks: int, args: tuple[Any, ...]) -> None:
    """Run ``entry`` on all units, in torch's stream."""
    if simulated():
        entry[blocks, 1](*args)  # type: ignore[index]  # it is slower the more threads a block has
        return
    grid = -(-blocks // THREADS)
    stream = torch.cuda.current_stream()
    with cuda.gpus[stream.device_index]:
        entry[grid, THREADS, cuda.external_stream(stream.cuda_stream)](*args)  # type: ignore[index]
