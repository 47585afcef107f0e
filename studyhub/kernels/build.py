"""Make the compiled module of a model and scheme, and keep it on disk for every later process.

A module's file is named by a hash of all that its source follows from, so a process that finds it traces nothing; numba keeps the machine
code beside it.
"""

import hashlib
import importlib.util
import inspect
import os
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

from studyhub.physics.structure import Physics

TRACED_WITH = ("torch", "numba")
ROOMS = ("kernels", "physics", "solvers")


def cache_folder() -> Path:
    """Folder of generated kernels: ``$STUDYHUB_CACHE``, else the user's cache folder."""
    given = os.environ.get("STUDYHUB_CACHE")
    return Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "studyhub"


@cache
def kernel(physics: Physics, scheme: ModuleType, real: str, target: str = "cpu", raw: bool = False) -> ModuleType:
    """Return the module with ``forward`` and ``backward``; see ``kernels.source.kernel_source`` for the arguments and errors."""
    key, source = _key(physics, scheme, real, target, raw), ""
    if key is None:
        source = _source(physics, scheme, real, target, raw)
        key = hashlib.sha256(source.encode()).hexdigest()
    name = f"{physics.name}_{scheme.__name__.rpartition('.')[2]}_{target}_{key[:16]}"
    path = _kept(name, lambda: source or _source(physics, scheme, real, target, raw))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # numba looks a cached function's module up by name
    spec.loader.exec_module(module)
    return module


def _source(physics: Physics, scheme: ModuleType, real: str, target: str, raw: bool) -> str:
    from studyhub.kernels.source import kernel_source  # loads torch's tracer

    return kernel_source(physics, scheme, real, target, raw=raw)


def _key(physics: Physics, scheme: ModuleType, real: str, target: str, raw: bool) -> str | None:
    """Hash of all that a kernel's source follows from; None where a function's own source cannot be read."""
    try:
        fluxes = [(flux.name, flux.source, flux.sink, _origin(flux.rate)) for flux in physics.fluxes]
        texts = {Path(inspect.getfile(function)) for function in (*(flux.rate for flux in physics.fluxes), scheme)}
        root = Path(__file__).parent.parent
        texts |= {path for room in ROOMS for path in (root / room).glob("*.py")}
        digest = hashlib.sha256()
        for path in sorted(texts):
            digest.update(path.read_bytes())
    except (OSError, TypeError):
        return None
    tables = (physics.parameters, physics.stores, physics.symbols, physics.stages, physics.outputs, fluxes)
    versions = [version(name) for name in TRACED_WITH]
    digest.update(repr((tables, scheme.__name__, real, target, raw, versions)).encode())
    return digest.hexdigest()


def _origin(function: Callable) -> Any:
    """What tells two functions of one file apart."""
    return function.__qualname__, function.__defaults__, [cell.cell_contents for cell in function.__closure__ or ()]


def _kept(name: str, source: Callable[[], str]) -> Path:
    """Write the source where it can be kept, else where it lives as long as the machine; several processes may do so at once."""
    for folder in (cache_folder(), Path(tempfile.gettempdir()) / f"studyhub-{os.getuid()}"):
        path = folder / f"{name}.py"
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not path.exists():
                with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".tmp", delete=False) as file:
                    file.write(source())
                os.replace(file.name, path)
            return path
        except OSError:
            continue
    raise OSError(f"neither {cache_folder()} nor {tempfile.gettempdir()} can be written: set STUDYHUB_CACHE to a folder that can")
