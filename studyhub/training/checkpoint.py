"""Tensors on disk: plain arrays in one .npz file, with plain values beside them as JSON, never a pickle."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from studyhub.errors import StoreError

PLAIN = "plain.json"  # name of the one array that is text


def save(path: Path, tensors: Mapping[str, Tensor], plain: Mapping[str, Any] | None = None) -> None:
    """Write a model's ``state_dict()``, or other tensors. The file appears whole or not at all; equal content gives equal bytes.

    Parameters
    ----------
    plain : further values that JSON knows
    """
    arrays = {name: value.detach().cpu().numpy() for name, value in tensors.items()}
    if plain is not None:
        # With the names of all arrays: an archive whose index is damaged may seem to hold fewer.
        text = json.dumps({"names": list(tensors), "plain": plain})
        arrays[PLAIN] = np.frombuffer(text.encode(), dtype=np.uint8)
    beside = path.with_name(partial(path.name))
    try:
        with beside.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def partial(name: str) -> str:
    """What a file is called until it is whole; a process that is killed may leave one."""
    return f".{name}.part"


def load(path: Path) -> dict[str, Tensor]:
    """Read the tensors that `save` wrote, onto the CPU; ``model.load_state_dict`` takes them.

    Raises
    ------
    StoreError
        There is no such file, or it is damaged.
    """
    tensors, _ = _read(path)
    return tensors


def load_with_plain(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read tensors and plain values that `save` wrote.

    Raises
    ------
    StoreError
        There is no such file, or it is damaged.
    """
    tensors, text = _read(path)
    try:
        content = json.loads(text)
        if content["names"] != list(tensors):
            raise ValueError("some arrays are missing")
        return tensors, content["plain"]
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path}: damaged ({error}); train the trial again") from None


def _read(path: Path) -> tuple[dict[str, Tensor], bytes]:
    try:
        # Opened here, since numpy leaves a damaged file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            # Copied into memory of torch's own, which is aligned as that of a tensor that was never on disk.
            tensors = {name: torch.from_numpy(arrays[name]).clone() for name in arrays.files if name != PLAIN}
            return tensors, arrays[PLAIN].tobytes() if PLAIN in arrays.files else b""
    except Exception as error:  # a damaged archive breaks numpy and zipfile in a dozen ways
        why = str(error) or type(error).__name__
        raise StoreError(f"{path}: not a readable file of weights ({why}); train the trial again") from error
