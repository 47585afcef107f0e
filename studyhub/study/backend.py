"""Whether trials run on a GPU, told without torch: a trial's id says it, since roundings differ."""

import os
from pathlib import Path

from studyhub.study.shape import Resources

# Not /proc/driver/nvidia: a container that was given no GPU shows its host's.
DEVICES = ("/dev/nvidia[0-9]*", "/usr/lib/wsl/lib/libcuda.so.1")


def backend_here(resources: Resources) -> str:
    """Return "cuda" where the study asks for GPUs, or takes one where there are any and this machine shows one; else "cpu"."""
    if resources.gpus != "auto":
        return "cuda" if resources.gpus else "cpu"
    return "cuda" if _has_gpu() else "cpu"


def _has_gpu() -> bool:
    """Whether this machine shows an NVIDIA GPU. ``CUDA_VISIBLE_DEVICES`` that is empty, or begins with -1, hides all of them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    hidden = visible is not None and (not visible.strip() or visible.strip().startswith("-1"))
    return not hidden and any(any(Path("/").glob(pattern[1:])) for pattern in DEVICES)
