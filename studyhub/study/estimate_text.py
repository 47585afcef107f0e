"""What a study will cost, as lines of plain text."""

from collections.abc import Iterator

from studyhub.study.estimate import Estimate, Kind
from studyhub.study.wording import duration, listed, size

MOST = 6  # arms named at once


def lines(estimate: Estimate) -> list[str]:
    """Say what is missing and what it will cost; empty where nothing is missing."""
    return list(_lines(estimate)) if estimate.missing else []


def _lines(estimate: Estimate) -> Iterator[str]:
    there = f", {estimate.finished} there already" if estimate.finished else ""
    yield f"to run     {_many(estimate.missing)}{there}"
    known = estimate.missing - estimate.unknown
    if known:
        least = "at least " if estimate.unknown else "about "
        at_once = f"{estimate.at_once} trial{'s' if estimate.at_once > 1 else ''} at once"
        yield f"time       {least}{duration(estimate.wall_seconds)} with {at_once} ({duration(estimate.seconds)} of computing)"
        if estimate.gpu_hours:
            yield f"GPU-hours  {least}{estimate.gpu_hours:.3g}"
        yield f"disk       {least}{_disk(estimate)}"
        yield f"known      {_sources(estimate)}"
    if estimate.unknown:
        arms = list(dict.fromkeys(arm for kind in estimate.kinds if kind.seconds is None for arm in kind.arms))
        cure = "`studyhub plan --calibrate` measures one of each kind"
        yield f"unknown    {_many(estimate.unknown)} of {listed(arms, MOST)}: none like them has finished; {cure}"


def _many(count: int) -> str:
    return f"{count} trial{'' if count == 1 else 's'}"


def _disk(estimate: Estimate) -> str:
    if estimate.free_bytes is None:
        return size(estimate.bytes)
    enough = "" if estimate.bytes < estimate.free_bytes else ": not enough, make room or choose another folder with --home DIR"
    return f"{size(estimate.bytes)}, {size(estimate.free_bytes)} are free{enough}"


def _sources(estimate: Estimate) -> str:
    finished = [kind for kind in estimate.kinds if kind.source == "finished"]
    calibrated = [kind for kind in estimate.kinds if kind.source == "calibration"]
    parts = [f"{_kinds(finished)} from {_many(sum(kind.measured for kind in finished))} that finished"] if finished else []
    return "; ".join([*parts, *([f"{_kinds(calibrated)} from a calibration"] if calibrated else [])])


def _kinds(kinds: list[Kind]) -> str:
    return f"{len(kinds)} kind{'s' if len(kinds) > 1 else ''} of trials"
