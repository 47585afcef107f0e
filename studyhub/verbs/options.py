"""Arguments and options that several verbs take, each written once."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from studyhub.errors import StoreError
from studyhub.storage import is_remote

StudyFile = Annotated[Path, typer.Argument(metavar="STUDY.yaml", help="the study file")]
Stored = Annotated[str, typer.Argument(metavar="STUDY", help="name of a study that was launched, or its folder (studies/NAME)")]

CHANGE = "Another study, or another place"
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH.TO.KEY=VALUE", help="change a key; may be repeated", rich_help_panel=CHANGE),
]
Name = Annotated[str | None, typer.Option(metavar="NAME", help="name of the study, in place of the file's", rich_help_panel=CHANGE)]
Data = Annotated[
    list[str] | None,
    typer.Option(
        metavar="SHARDS",
        help="run on these ingested basins, in place of the study's data; may be repeated to join data sets",
        rich_help_panel=CHANGE,
    ),
]


def _home(given: str | Path) -> Path:
    from studyhub.study.remote import locate

    return locate(given)


Home = Annotated[
    Path,
    typer.Option(
        metavar="DIR",
        envvar="STUDYHUB_HOME",
        parser=_home,
        help="folder of studies/ and store/, or s3://BUCKET/FOLDER or gs://BUCKET/FOLDER",
        rich_help_panel=CHANGE,
    ),
]

AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]
AsEvents = Annotated[bool, typer.Option("--json", help="print one line of JSON per event, for programs")]
Quiet = Annotated[bool, typer.Option("--quiet", help="print nothing but what goes wrong")]
Address = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT", envvar="RAY_ADDRESS", help="run on this Ray cluster, in place of this machine"),
]


def help_of(verb: Callable[..., object]) -> str:
    """Return a verb's docstring for the terminal: paragraphs without the line breaks of the source, each example on a line of its own."""
    paragraphs = inspect.cleandoc(verb.__doc__ or "").split("\n\n")
    return "\n\n".join(text if text.startswith("Example:") else " ".join(text.split("\n")) for text in paragraphs)


def located(study: str, home: Path) -> tuple[Path, str]:
    """Home and name of a study that is given by its name, or by its folder ``<home>/studies/<name>``, which may be a URI."""
    if is_remote(study):
        place, _, name = study.rstrip("/").rpartition("/studies/")
        if not is_remote(place) or "/" in name:
            raise StoreError(f"a study is given by its name or by its folder .../studies/NAME, got {study}")
        return _home(place), name
    folder = Path(study)
    if len(folder.parts) < 2:
        return home, study
    if folder.parent.name != "studies":
        raise StoreError(f"a study is given by its name or by its folder studies/NAME, got {study}")
    return folder.parent.parent, folder.name
