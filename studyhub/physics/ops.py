"""The functions that a flux may use beside ``+ - * / **``: all that the schemes, the tracer and the kernels must understand.

torch is loaded at the first call, so that parameter tables can be read without it. A plain number may stand wherever a tensor may.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


def minimum(a: "Tensor", b: Any) -> "Tensor":
    import torch

    return torch.minimum(a, b) if isinstance(b, torch.Tensor) else torch.clamp(a, max=b)


def maximum(a: "Tensor", b: Any) -> "Tensor":
    import torch

    return torch.maximum(a, b) if isinstance(b, torch.Tensor) else torch.clamp(a, min=b)


def where(condition: "Tensor", a: Any, b: Any) -> "Tensor":
    import torch

    return torch.where(condition, a, b)


def exp(a: "Tensor") -> "Tensor":
    import torch

    return torch.exp(a)


def log(a: "Tensor") -> "Tensor":
    import torch

    return torch.log(a)


def tanh(a: "Tensor") -> "Tensor":
    import torch

    return torch.tanh(a)


def sqrt(a: "Tensor") -> "Tensor":
    import torch

    return torch.sqrt(a)
