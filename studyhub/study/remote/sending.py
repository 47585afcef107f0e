"""An attempt that goes from the copy of a home to its object store: as it proceeds, then whole, its result last."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from studyhub.study.files import write_json
from studyhub.study.leases import RESULT, attempt_name, lease_path, number_of, usable_result
from studyhub.study.remote.copies import Copy
from studyhub.study.remote.fetching import CHECKPOINT, EPOCHS, EPOCHS_FILE, FILES, PASSING, Incoming, remote_result

Seen = tuple[int, int]  # size and time of a file


class Outgoing:
    """One attempt of a trial, and what of it has been sent already."""

    def __init__(self, copy: Copy, trial: str, number: int):
        self.copy, self.trial, self.number = copy, trial, number
        self.folder = copy.trial_folder(trial)
        self.attempt = self.folder / attempt_name(number)
        self._remote = f"store/trials/{trial}"
        self._sent: dict[str, Seen] = {}
        self._sizes: dict[str, int] = {}

    def send_lease(self) -> None:
        """Say that the attempt lives: the object's time is its heartbeat."""
        content = lease_path(self.folder, self.number).read_bytes()
        self.copy.store.write(f"{self._remote}/lease-{self.copy.remote_name(self.number)}.json", content)

    def send_files(self) -> None:
        """Send what is new since the last time."""
        for name, path in _files(self.attempt):
            try:
                found = path.stat()
                seen = found.st_size, found.st_mtime_ns
                if self._sent.get(name) == seen:
                    continue
                self._sizes[name] = self._send(name, path)
                self._sent[name] = seen
            except FileNotFoundError:  # a checkpoint that has gone
                continue

    def send_result(self) -> bool:
        """Send the whole attempt and then its result; False where the trial has another result there, which is fetched in its place."""
        result = usable_result(self.folder)
        assert result is not None and number_of(result["attempt"]) == self.number, f"{self.attempt} has given no result"
        there = {name.removeprefix(f"{self._remote}/"): listed for name, listed in self.copy.store.walk(self._remote).items()}
        theirs, _ = remote_result(self.copy, self.trial, there)
        own = f"attempt-{self.copy.remote_name(self.number)}"
        if theirs is not None and theirs["attempt"] != own:
            Incoming(self.copy, self.trial, there, lambda _, name: name not in PASSING, gently=False).fetch()
            return False
        self.send_files()
        files = {name: size for name, size in self._sizes.items() if name not in PASSING}
        self._write(RESULT, {**result, "attempt": own, FILES: files})
        write_json(self.folder / RESULT, {**result, FILES: files})
        for name in there:  # nobody goes on from where a finished trial once was
            if name.endswith(f"/{CHECKPOINT}"):
                self.copy.store.remove(f"{self._remote}/{name}")
        return True

    def _send(self, name: str, path: Path) -> int:
        remote = f"{self._remote}/attempt-{self.copy.remote_name(self.number)}/{name}"
        if name != EPOCHS_FILE:
            return self.copy.store.send(remote, path)
        epochs = {epoch.name: [epoch.read_text(encoding="utf-8"), epoch.stat().st_mtime] for epoch in sorted(path.glob("*.json"))}
        content = json.dumps(epochs).encode()
        self.copy.store.write(remote, content)
        return len(content)

    def _write(self, name: str, content: dict[str, Any]) -> None:
        self.copy.store.write(f"{self._remote}/{name}", (json.dumps(content, indent=1) + "\n").encode())


def made(copy: Copy, trial: str) -> Outgoing:
    """Return the attempt that has given the result of a trial here."""
    result = usable_result(copy.trial_folder(trial))
    assert result is not None, f"{trial} has no result"
    return Outgoing(copy, trial, number_of(result["attempt"]))


def unsent(copy: Copy, trial: str) -> Outgoing | None:
    """Return the attempt that has given a result here which was not sent, if there is one."""
    result = usable_result(copy.trial_folder(trial))
    return None if result is None or FILES in result else made(copy, trial)


def _files(attempt: Path) -> Iterator[tuple[str, Path]]:
    """Files of an attempt by their names in the object store; its folder of epochs is one of them."""
    for entry in sorted(os.scandir(attempt), key=lambda entry: entry.name):
        if entry.is_dir() and entry.name == EPOCHS:
            yield EPOCHS_FILE, Path(entry.path)
        elif entry.is_file() and not entry.name.startswith("."):
            yield entry.name, Path(entry.path)
