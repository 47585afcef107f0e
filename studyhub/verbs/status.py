"""``studyhub status``: how far a study is, what runs where, how long it will take, and what went wrong."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from studyhub.verbs.options import AsJson, Home
from studyhub.verbs.printing import print_json


def status(
    study: Annotated[str | None, typer.Argument(metavar="STUDY", help="name of a study; all where none is given")] = None,
    home: Home = Path(),
    as_json: AsJson = False,
) -> None:
    """Print how far a study is, and what went wrong."""
    from studyhub.study.status import status as status_of
    from studyhub.study.store import Store

    store = Store(home)
    found = [status_of(store, name) for name in ((study,) if study else store.studies())]
    if as_json:
        print_json([asdict(one) for one in found])
        return
