"""Weights on disk: plain arrays in one .npz file, never a pickle."""

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from studyhub.errors import StoreError


def save(path: Path, weights: Mapping[str, Tensor]) -> None:
    """Write a model's ``state_dict()``. The file appears whole or not at all; equal weights give equal bytes."""
    arrays = {name: value.detach().cpu().numpy() for name, value in weights.items()}
    beside = path.with_name(f".{path.name}.part")
    try:
        with beside.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def load(path: Path) -> dict[str, Tensor]:
    """Read what `save` wrote, onto the CPU; ``model.load_state_dict`` takes it.

    Raises
    ------
    StoreError
        There is no such file, or it is damaged.
    """
    try:
        # Opened here, since numpy leaves a damaged file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {name: torch.from_numpy(arrays[name]) for name in arrays.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise StoreError(f"{path}: not a readable file of weights ({error}); train the trial again") from error
