"""Run a kernel on the CPU: blocks of units, one vector wide each, dealt out to threads."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor

TURNS = 4  # chunks of blocks per thread, so that none waits long for another


def array(tensor: Tensor) -> np.ndarray:
    """The tensor's memory as a flat array."""
    return tensor.detach().contiguous().numpy().reshape(-1)


def launch(entry: Callable, blocks: int, args: tuple[Any, ...]) -> None:
    """Run ``entry`` on all blocks, with as many threads as torch may use."""
    threads = min(torch.get_num_threads(), blocks)
    if threads == 1:
        entry(0, blocks, *args)
        return
    bounds = np.unique(np.linspace(0, blocks, TURNS * threads + 1).astype(int)).tolist()
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(entry, first, stop, *args) for first, stop in zip(bounds, bounds[1:], strict=False)]:
            done.result()
