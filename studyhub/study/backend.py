"""Whether trials run on a GPU, told without torch: a trial's id says it, since roundings differ."""

import os
from pathlib import Path

from studyhub.study.shape import Resources

MARKS = (Path("/proc/driver/nvidia/gpus"), Path("/dev/nvidia0"), Path("/dev/dxg"))  # the last is Windows' door for Linux to its GPU


def backend_here(resources: Resources) -> str:
    """Return "cuda" where the study asks for GPUs, or takes one where there are any and this machine shows one; else "cpu"."""
    if resources.gpus != "auto":
        return "cuda" if resources.gpus else "cpu"
    return "cuda" if _has_gpu() else "cpu"


def _has_gpu() -> bool:
    """Whether this machine shows an NVIDIA GPU. ``CUDA_VISIBLE_DEVICES`` that is empty, or begins with -1, hides all of them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    hidden = visible is not None and (not visible.strip() or visible.strip().startswith("-1"))
    return not hidden and any(path.exists() for path in MARKS)
