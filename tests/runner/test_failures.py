import errno
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from studyhub.errors import DataError, LossError, ResourceError, StoreError
from studyhub.runner.failures import kind, one_line, told
from studyhub.study.files import write_json

HOME = Path("/home/of/studies")


def raised(act) -> Exception:
    with pytest.raises(Exception) as caught:
        act()
    return caught.value


def fails(error: Exception):
    def act():
        raise error

    return act


def write_to_a_full_disk() -> None:
    with open("/dev/full", "w") as file:
        file.write("x" * 100_000)


def spoiled_while_handled() -> None:
    try:
        write_to_a_full_disk()
    finally:
        raise RuntimeError("the table could not be closed")


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (lambda: np.empty(2**55), "memory"),
        (lambda: torch.empty(2**55), "memory"),
        (fails(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")), "memory"),
        (fails(RuntimeError("CUDA error: out of memory")), "memory"),
        (fails(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")), "memory"),
        (fails(RuntimeError("[2] Call to cuMemAlloc results in CUDA_ERROR_OUT_OF_MEMORY")), "memory"),
        (fails(OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))), "memory"),
        (write_to_a_full_disk, "disk"),
        (spoiled_while_handled, "disk"),
        (fails(OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))), "disk"),
        (lambda: write_json(Path("/proc/none/file.json"), {}), "disk"),
        (fails(LossError("the loss is not a finite number in basin 1")), "loss"),
        (fails(DataError("basin 1 speaks of memory: out of memory")), "data"),
        (fails(StoreError("weights.npz: damaged")), "data"),
        (fails(ResourceError("no GPU")), "code"),
        (fails(FileNotFoundError(errno.ENOENT, "gone")), "code"),
        (fails(ValueError("no good")), "code"),
    ],
)
def test_kinds(act, expected):
    assert kind(raised(act)) == expected


def test_a_full_disk_is_told_with_its_folder_and_what_to_do():
    for act in (write_to_a_full_disk, spoiled_while_handled, lambda: os.write(os.open("/dev/full", os.O_WRONLY), b"x")):
        text = told(raised(act), HOME)
        assert text.startswith("/home/of/studies: the disk is full or a limit is reached (No space left on device); make room there")
        assert "\n" not in text


def test_other_errors_are_one_line():
    assert told(DataError("basin 1: no discharge"), HOME) == one_line(DataError("basin 1: no discharge")) == "basin 1: no discharge"
    assert one_line(KeyError()) == "KeyError"
    assert one_line(ValueError("no\ngood")) == "ValueError: no good"
