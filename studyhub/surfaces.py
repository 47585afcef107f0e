"""Surfaces of a study are computed where the study is launched or asked about: a process of its own, with all of its CPUs, or its GPU."""

import os
import time
from typing import TYPE_CHECKING

from studyhub.errors import StudyhubError
from studyhub.prepared import Prepared, Say
from studyhub.runner.show import Show
from studyhub.study.surface import Surface
from studyhub.study.wording import duration

TELL = 30.0  # seconds between two lines, where lines are all that is shown

if TYPE_CHECKING:
    from studyhub.runner.surface import Progress
    from studyhub.runner.surfaces import Mapped


def compute(prepared: Prepared, asked: Surface, say: Say, progress: "Progress") -> "Mapped":
    """Compute what is lacking of the surfaces that are asked for; see `studyhub.runner.surfaces.map_surfaces`."""
    import torch

    from studyhub.report.collect import collect
    from studyhub.runner.surfaces import map_surfaces

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    results = collect(prepared.store, prepared.spec.name)
    return map_surfaces(prepared.store, results, prepared.data(say), asked, device=device, progress=progress)


def conclude(prepared: Prepared, show: Show) -> None:
    """Compute the surfaces that a study file asks for, once its trials have ended, and say how far that is; a fault is said, no more."""
    asked = prepared.spec.surface
    if asked is None:
        return
    begun = told = time.monotonic()

    def progress(done: int, of: int) -> None:
        nonlocal told
        now = time.monotonic()
        left = (now - begun) * (of - done) / max(done, 1)
        line = f"surfaces: {done} of {of} points, {duration(left)} left"
        shown(line)
        if now - told > TELL:
            told = now
            show.say(line)

    with show.busy("surfaces") as shown:
        try:
            done = compute(prepared, asked, show.say, progress)
        except StudyhubError as error:
            show.warn(f"no surfaces: {error}; then `studyhub surface {prepared.spec.name}`")
            return
    for why in done.left_out.values():
        show.warn(f"surfaces: {why}, left out")
    if done.computed:
        show.say(f"surfaces: {done}, in {duration(time.monotonic() - begun)}")
