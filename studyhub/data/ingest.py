"""From any reader's basins to shards: chosen, cut, completed, checked and written, in blocks, by several processes, to be gone on with.

Each block of basins is one file. A block that is there is not read again: the same command goes on where an interrupted one ended.
"""

import json
import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from studyhub.data import quality
from studyhub.data.derived import GIVEN, all_units, completed
from studyhub.data.entries import NAME
from studyhub.data.manifest import FORMAT, UNFINISHED, digest, shorten
from studyhub.data.record import Basin, cut
from studyhub.data.shards import Shards
from studyhub.data.source import Source
from studyhub.data.writer import BASINS_PER_FILE, BLOCK, Block, Described, Row, finish, read_block, write_block
from studyhub.errors import DataError, ResourceError
from studyhub.storage import Folder, folder
from studyhub.study.settings import Period

LONGEST_ID = 200
LISTS = frozenset(',;#"')  # what parts, ends or quotes the fields of a list
FORMULA = ("=", "+", "@")  # a spreadsheet would run what begins so

Progress = Callable[[int, int], None]  # basins done, basins in all


@dataclass(frozen=True)
class Choice:
    """What to take of a source.

    Parameters
    ----------
    basins : ids; None means all
    without : ids to leave out
    complete_only : leave out what a reader cannot complete, such as a basin without attributes; else that is an error
    period : days to keep
    climate : days that the climate attributes are computed from; None means all that are kept
    years : fewer observed years of discharge are flagged
    pet : how PET comes about, as `derived.completed` takes it
    """

    basins: tuple[str, ...] | None = None
    without: tuple[str, ...] = ()
    complete_only: bool = False
    period: Period | None = None
    climate: Period | None = None
    years: float = quality.YEARS
    pet: str = GIVEN


def ingest(
    source: Source, out: str | Path, choice: Choice | None = None, *, processes: int = 1, progress: Progress | None = None
) -> Shards:
    """Write a source's basins as shards.

    Parameters
    ----------
    out : folder to make, a path or URI; what an interrupted ingest left there is gone on with

    Raises
    ------
    DataError
        Basins that are chosen are not there or not complete; ``out`` holds something else; raw data cannot be read.
    ResourceError
        a process has died
    """
    choice = choice or Choice()
    basins, left_out = _chosen(source, choice)
    _require_possible(basins, choice)
    work = _Work(source, choice, str(out), basins, BASINS_PER_FILE)
    place = folder(out)
    try:
        if _ended(place, work):
            return Shards.open(out)
        _begin(place, work)
        blocks = _blocks(place, work, processes, progress)
        _require_some(place, work, blocks)
        blocks[0].left_out.update(left_out)
        settings = {**source.settings, "ingest": _plain(choice)}
        finish(place, blocks, Described(source.reader, settings, work.units, source.codes))
        place.remove(UNFINISHED)
    except OSError as error:
        raise DataError(f"{out}: cannot be written ({error}); the same command goes on where this one ended") from None
    return Shards.open(out)


def checked(basin: Basin, units: Mapping[str, str], findings: dict[str, list[Row]], years: float = quality.YEARS) -> Basin:
    """Check a basin's quality, keep what is found in ``findings``, and add the fact "flagged": names of the checks that flag it."""
    found = quality.check(basin, units, years=years)
    findings[basin.name] = [asdict(finding) for finding in found]
    flagged = sorted({finding.check for finding in found if finding.verdict == "flagged"})
    return replace(basin, facts={**basin.facts, "flagged": flagged})


def _chosen(source: Source, choice: Choice) -> tuple[tuple[str, ...], dict[str, str]]:
    """Basins to read, and why others that were asked for are not among them."""
    known = set(source.basins)
    for what, names in (("to take", choice.basins or ()), ("to leave out", choice.without)):
        unknown = sorted(set(names) - known)
        if unknown:
            raise DataError(f"basins {what} must be there, there is no {shorten(unknown)}; there are {shorten(source.basins)}")
    wanted = known if choice.basins is None else set(choice.basins)
    basins = tuple(name for name in source.basins if name in wanted and name not in set(choice.without))
    faults = {name: why for name, why in getattr(source, "incomplete", {}).items() if name in set(basins)}
    if faults and not choice.complete_only:
        name, why = next(iter(faults.items()))
        told = f"{len(faults)} of {len(basins)} basins are not complete: {shorten(list(faults))}. The first: {why}"
        raise DataError(f"{told}. Complete the files, or leave these basins out with --complete-only")
    basins = tuple(name for name in basins if name not in faults)
    if not basins:
        raise DataError("at least one basin is required, none is left")
    return basins, faults


def _require_possible(basins: Sequence[str], choice: Choice) -> None:
    """Basins whose ids every list can hold, and a climate of days that are kept."""
    for basin in basins:
        spelt = basin.isprintable() and basin.strip().strip("'") == basin and not LISTS & set(basin)
        if not spelt or not 1 <= len(basin) <= LONGEST_ID or basin[0] in FORMULA:
            required = f"1 to {LONGEST_ID} letters that print, no space or quote at an end, none of {' '.join(sorted(LISTS))}"
            message = f"the id of a basin stands in lists and tables: {required}, and no {' '.join(FORMULA)} first are required"
            raise DataError(f"{message}; got {basin[: LONGEST_ID + 1]!r}; rename it")
    if choice.period is not None and choice.climate is not None and not choice.climate.overlaps(choice.period):
        raise DataError(f"the climate is to be told from {choice.climate}, of which no day is kept, {choice.period}; change one of them")


def _require_some(place: Folder, work: "_Work", blocks: Sequence[Block]) -> None:
    """Basins that have a day in the period; without any, the folder is left empty for a command that finds some."""
    if any(block.entries for block in blocks):
        return
    for name in place.names():
        place.remove(name)
    raise DataError(f"none of the {len(work.basins)} basins has a day in {work.choice.period}; choose another --period")


@dataclass(frozen=True)
class _Work:
    """All that a process needs to write a block of ``at_once`` basins."""

    source: Source
    choice: Choice
    out: str
    basins: tuple[str, ...]
    at_once: int

    @property
    def units(self) -> dict[str, str]:
        return all_units(self.source.units, self.choice.pet)

    @property
    def count(self) -> int:
        return -(-len(self.basins) // self.at_once)

    def block(self, number: int) -> tuple[str, ...]:
        return self.basins[number * self.at_once : (number + 1) * self.at_once]

    @property
    def fingerprint(self) -> str:
        """Hash of what is written, as far as it is known before it is read."""
        told = [FORMAT, self.source.reader, dict(self.source.settings), _plain(self.choice), self.basins, self.at_once, self.units]
        return digest(json.loads(json.dumps(told, default=str)))

    def write(self, number: int, progress: Callable[[], None] | None = None) -> Block:
        findings: dict[str, list[Row]] = {}
        left_out: dict[str, str] = {}
        basins = self._basins(number, findings, left_out, progress or (lambda: None))
        return write_block(folder(self.out), number, basins, self.units, findings=findings, left_out=left_out)

    def _basins(
        self, number: int, findings: dict[str, list[Row]], left_out: dict[str, str], progress: Callable[[], None]
    ) -> Iterator[Basin]:
        for basin in self.source.read(self.block(number)):
            within = basin if self.choice.period is None else cut(basin, self.choice.period)
            if within is None:
                left_out[basin.name] = f"no day in {self.choice.period}"
            else:
                whole = completed(within, self.units, self.choice.climate, self.choice.pet)
                yield checked(whole, self.units, findings, self.choice.years)
            progress()


def _begun(place: Folder) -> str | None:
    """Fingerprint of the ingest that began in a folder; None where none did."""
    if UNFINISHED not in place.names():
        return None
    try:
        return str(json.loads(place.read(UNFINISHED)).get("fingerprint"))
    except (ValueError, AttributeError):
        return ""


def _ended(place: Folder, work: _Work) -> bool:
    """Tell whether this very ingest was killed between its last file and its clean-up, and end that."""
    if NAME not in place.names() or _begun(place) != work.fingerprint:
        return False
    for number in range(work.count):
        place.remove(BLOCK.format(number))
    place.remove(UNFINISHED)
    return True


def _begin(place: Folder, work: _Work) -> None:
    """See that ``place`` is empty or holds the begin of this very ingest, or of one that came to write nothing."""
    names, begun = place.names(), _begun(place)
    if begun is not None and len(names) > 1 and NAME not in names:
        if begun != work.fingerprint:
            raise DataError(f"{place}: another ingest began here and has not ended; end it with its own command, or remove the folder")
    elif set(names) - {UNFINISHED}:
        raise DataError(f"{place}: a folder that does not exist yet is required; remove it or name another")
    place.write(UNFINISHED, json.dumps({"fingerprint": work.fingerprint, "basins": len(work.basins)}).encode())


def _blocks(place: Folder, work: _Work, processes: int, progress: Progress | None) -> list[Block]:
    """Write the blocks that are not there."""
    blocks = {number: read_block(place, number) for number in range(work.count)}
    missing = [number for number, block in blocks.items() if block is None]
    done = sum(len(work.block(number)) for number in blocks if number not in missing)

    def tell(basins: int) -> None:
        nonlocal done
        done += basins
        if progress is not None:
            progress(done, len(work.basins))

    tell(0)
    if min(processes, len(missing)) < 2:
        for number in missing:
            blocks[number] = work.write(number, lambda: tell(1))
    else:
        for number, block in _in_processes(work, missing, processes):
            blocks[number] = block
            tell(len(work.block(number)))
    return [block for block in blocks.values() if block is not None]


def _in_processes(work: _Work, missing: Sequence[int], processes: int) -> Iterable[tuple[int, Block]]:
    # Not forked: pyarrow's threads would not be there in the child.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(processes, len(missing)), context, _receive, (work,)) as pool:
        with _interrupts_ignored():
            waiting = {pool.submit(_write, number): number for number in missing}
        try:
            for future in as_completed(waiting):
                yield waiting[future], future.result()
        except BrokenProcessPool:
            message = "a process that reads has died, perhaps for lack of memory; what is written stays"
            raise ResourceError(f"{message}: give the same command with fewer --processes") from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Processes that begin meanwhile never hear Ctrl-C: whoever began them ends the work, once the blocks at hand are written."""
    if threading.current_thread() is not threading.main_thread():
        yield  # no place to change signals
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


_work: _Work | None = None


def _receive(work: _Work) -> None:
    global _work
    _work = work


def _write(number: int) -> Block:
    assert _work is not None
    return _work.write(number)


def _plain(choice: Choice) -> dict:
    """What the manifest says of it; which basins, its entries say."""
    plain = {key: value for key, value in asdict(choice).items() if key not in {"basins", "without"}}
    return plain | {
        name: None if period is None else str(period) for name, period in (("period", choice.period), ("climate", choice.climate))
    }
