"""A study's status as lines of plain text."""

from collections.abc import Iterable

from studyhub.study.running import Running
from studyhub.study.status import SearchProgress, Status, told
from studyhub.study.troubles import Group, Trouble
from studyhub.study.wording import duration, listed

MOST = 20  # trials that run, and causes of one kind: a status is to be read at a glance


def lines(status: Status) -> list[str]:
    """Say how a study stands; ``--json`` has all of it."""
    found = [f"{status.study}: {told(status.counts) or 'no trials'}", *(f"  {text}" for text in _going(status))]
    found += [f"  {text}" for group in status.failures for text in _group(group)]
    again = [trouble for trouble in status.troubles if trouble.kind is None]
    found += [f"  {_cell(trouble)}: {trouble.state}: {trouble.cause}" for trouble in again]
    if status.counts.get("failed"):
        found.append(f"  `studyhub retry {status.study} --failed` runs those again that failed")
    return found


def _going(status: Status) -> Iterable[str]:
    """What runs, how fast it goes, and how far searches are."""
    for launch in status.launches:
        yield f"launched on {launch.host} (process {launch.pid}) since {_clock(launch.begun)}"
    for search in status.searches:
        yield f"search   {_search(search)}"
    for run in status.running[:MOST]:
        yield f"running  {_cell(run)}: {_where(run)}"
    if len(status.running) > MOST:
        yield f"running  {len(status.running) - MOST} more"
    if not status.open and not status.running:
        return
    pace = status.pace
    if pace.trials_per_hour is not None:
        epochs = [f"{arm} {seconds:.3g} s" for arm, seconds in pace.seconds_per_epoch.items()]
        lately = "the last hour" if pace.hours >= 0.99 else f"the last {duration(3600 * pace.hours)}"
        yield f"pace     {pace.trials_per_hour:.3g} trials/h in {lately}" + (f"; an epoch takes: {listed(epochs, MOST)}" if epochs else "")
    if status.seconds_left is not None:
        yield f"left     about {duration(status.seconds_left)}"


def _where(run: Running) -> str:
    reached = f"epoch {run.epoch} of {run.of}" if run.of else "starting"
    speed = f", {run.seconds_per_epoch:.3g} s each" if run.seconds_per_epoch is not None else ""
    place = f"{run.host or 'an unknown machine'} ({run.device or 'device not said'}, process {run.pid or 'not said'})"
    return f"{reached}{speed}, on {place} since {_clock(run.begun)}"


def _search(search: SearchProgress) -> str:
    of = f" of {search.budget}" if search.budget is not None else ""
    if search.chosen is not None:
        told = (f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in search.chosen.items())
        outcome = f"; chose {', '.join(told)}"
    else:
        outcome = "; chooses when all have ended" if not search.done else "; none of them can be chosen"
    note = f" ({search.note})" if search.note else ""
    return f"{search.arm}, fold {search.fold}: {search.ended}{of} trained{outcome}{note}"


def _group(group: Group) -> Iterable[str]:
    yield f"{group.called}: {group.count} trial{'s' if group.count > 1 else ''}"
    for cause, count in group.causes[:MOST]:
        yield f"  {count} x {cause}" if len(group.causes) > 1 else f"  {cause}"
    if len(group.causes) > MOST:
        yield f"  {len(group.causes) - MOST} other causes"
    yield f"  such as {_cell(group.example)} (trial {group.example.trial})" + ("; its log ends:" if group.lines else "")
    yield from (f"    {line}" for line in group.lines)


def _cell(one: Trouble | Running) -> str:
    last = f"seed {one.seed}" if one.number is None else f"search {one.number}"
    return f"{one.arm}, fold {one.fold}, {last}"


def _clock(time: str | None) -> str:
    """Of an ISO time the part that is read: minutes suffice.

    >>> _clock("2026-01-31T12:03:59Z")
    '2026-01-31 12:03 UTC'
    """
    return "an unknown time" if time is None else f"{time[:16].replace('T', ' ')} UTC"
