"""Where MLflow keeps what it shows, and how to name that place without giving its password away."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

DATABASE, ARTIFACTS = "mlflow.db", "mlartifacts"
VARIABLE = "MLFLOW_TRACKING_URI"
CAUSE_CHARACTERS = 200

PASSWORD = re.compile(r"(?P<kept>://[^:/@]*:)(?P<secret>.*)(?=@)")
QUERY = re.compile(r"(?P<kept>[?&][^=&]*(?:password|passwd|secret|token)[^=&]*=)(?P<secret>[^&#]+)", re.I)


@dataclass(frozen=True)
class Tracking:
    """An MLflow: its ``uri``, and the folder of its artifacts (None where a server keeps them).

    ``own`` says that it is the database of one home; any other may hold the studies of several homes, under the same names perhaps.
    """

    uri: str
    artifacts: Path | None
    own: bool = False

    @classmethod
    def of(cls, home: Path) -> "Tracking":
        """What ``MLFLOW_TRACKING_URI`` names; without it, an sqlite database beside the studies."""
        home = home.absolute()
        given = os.environ.get(VARIABLE)
        if not given:
            return cls(f"sqlite:///{home / DATABASE}", home / ARTIFACTS, own=True)
        return cls(given, None if _is_server(given) else home / ARTIFACTS)

    @property
    def is_server(self) -> bool:
        return _is_server(self.uri)

    @property
    def exists(self) -> bool:
        """Tell whether there is a database, as far as that can be told without asking it."""
        return not self.own or Path(self.uri.removeprefix("sqlite:///")).is_file()

    @property
    def address(self) -> str:
        """The server's address for a browser, without user and password."""
        parts = urlsplit(self.uri)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/")

    def __str__(self) -> str:
        return _masked(self.uri)

    def __repr__(self) -> str:
        return f"Tracking({str(self)!r})"

    def cause(self, error: BaseException) -> str:
        """Say in one line what lies at the bottom of an error, without the password."""
        while (deeper := error.__cause__ or error.__context__) is not None:
            error = deeper
        if isinstance(error, ModuleNotFoundError) and str(error.name).startswith("psycopg"):
            return "psycopg is not installed here; pip install 'studyhub[postgresql]'"
        text = next((line.strip() for line in str(error).splitlines() if line.strip()), "") or type(error).__name__
        return self._without_secrets(text)[:CAUSE_CHARACTERS]

    def _without_secrets(self, text: str) -> str:
        text = text.replace(self.uri, str(self))
        written = {match["secret"] for pattern in (PASSWORD, QUERY) for match in pattern.finditer(self.uri)}
        for secret in sorted(written | set(map(unquote, written)), key=len, reverse=True):
            text = text.replace(secret, "***") if secret else text
        return text


def _is_server(uri: str) -> bool:
    return uri.startswith(("http://", "https://"))


def _masked(uri: str) -> str:
    for pattern in (PASSWORD, QUERY):
        uri = pattern.sub(lambda match: f"{match['kept']}***", uri)
    return uri
