"""Files of studies, as they come from an object store to the copy of a home, and go there."""

from pathlib import Path

from studyhub.study.files import read_json
from studyhub.study.launches import FOLDER as LAUNCHES
from studyhub.study.process import Process, machine
from studyhub.study.remote.copies import FORMAT, HOME_ID, Copy
from studyhub.study.remote.fetching import date_as, is_current

REPORT_FILES = "report.json"
# What belongs to one machine, and means nothing elsewhere.
LEFT = ("launch.json", "launch.log", "mirror.json", "mirror.lock")

Seen = tuple[int, int]  # size and time of a file


def fetch_studies(copy: Copy, study: str | None = None) -> None:
    """Bring a study's files up to date here, or all studies'; those of a launch from this copy stay as they are."""
    with copy.reaching():
        base = "studies" if study is None else f"studies/{study}"
        there = {tuple(name.split("/")): (name, listed) for name, listed in copy.store.walk(base).items()}
        busy = {name for _, name, *rest in there if rest and _is_launched_here(copy.path / "studies" / name)}
        for (_, name, *rest), (remote, listed) in there.items():
            path = copy.path / remote
            is_launch = rest[:1] == [LAUNCHES]
            if not rest or name in busy and not is_launch or is_launch and _token(path) == copy.token:
                continue
            if not is_current(path, listed):
                try:
                    copy.store.fetch(remote, path)
                except FileNotFoundError:  # a launch that has ended meanwhile
                    continue
                date_as(path, listed)
        _forget_ended(copy, {remote for remote, _ in there.values()}, study)


def send_study(copy: Copy, study: str, sent: dict[Path, Seen]) -> None:
    """Send a study's files that are new.

    Parameters
    ----------
    sent : what was sent before, which this keeps
    """
    folder = copy.path / "studies" / study
    with copy.reaching():
        _send_once(copy, FORMAT)
        _send_once(copy, HOME_ID)
        for path in sorted(folder.rglob("*")):
            within = path.relative_to(folder).parts
            if not path.is_file() or within[0] in (LAUNCHES, *LEFT) or any(part.startswith(".") for part in within):
                continue
            found = path.stat()
            seen = found.st_size, found.st_mtime_ns
            if sent.get(path) != seen:
                copy.store.send(path.relative_to(copy.path).as_posix(), path)
                sent[path] = seen


def send_report(copy: Copy, study: str, folder: Path) -> None:
    """Send a report, as its list of files says."""
    with copy.reaching():
        for name in (*(read_json(folder / REPORT_FILES) or {}).get("files", ()), REPORT_FILES):
            copy.store.send(f"reports/{study}/{name}", folder / name)


def _send_once(copy: Copy, name: str) -> None:
    """Send a file that every copy would write alike, or that the first one has made for all."""
    if (copy.path / name).is_file():
        try:
            copy.store.size(name)
        except FileNotFoundError:
            copy.store.send(name, copy.path / name)


def _forget_ended(copy: Copy, there: set[str], study: str | None) -> None:
    """Remove here what other copies' launches have said that have ended."""
    for path in (copy.path / "studies").glob(f"{study or '*'}/{LAUNCHES}/*.json"):
        if _token(path) not in (None, copy.token) and path.relative_to(copy.path).as_posix() not in there:
            path.unlink(missing_ok=True)


def _token(path: Path) -> str | None:
    """Token of the copy that a launch in an object store works on; files of launches on a disk have none."""
    parts = path.stem.rsplit("-", 2)
    return parts[2] if len(parts) == 3 and len(parts[2]) == 6 and parts[1].isdecimal() else None


def _is_launched_here(study: Path) -> bool:
    for path in (study / LAUNCHES).glob("*.json"):
        try:
            process = Process.of(read_json(path) or {})
        except ValueError:
            continue
        if process is not None and process.machine == machine() and not process.dead():
            return True
    return False
