"""``studyhub export`` and ``studyhub import``: a study in one file, to be kept or to go on with elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

from studyhub.verbs.options import Home, Stored, located


def export(
    study: Stored,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="file to write; STUDY.zip by default")] = None,
    simulations: Annotated[bool, typer.Option("--simulations", help="with simulated discharge and fluxes of the test period")] = False,
    home: Home = Path(),
) -> None:
    """Pack a study into one file.

    Its settings, scores, weights and provenance: what is needed to read it without studyhub, to go on with it elsewhere, or to publish it.

    Example: studyhub export my_study --out my_study_2026.zip
    """
    from studyhub.study import archive, remote
    from studyhub.study.store import Store
    from studyhub.verbs.bars import bar

    home, name = located(study, home)
    remote.pull(home, name, want=remote.ALL)
    with bar("trials") as progress:
        exported = archive.export(Store(home), name, out or Path(f"{name}.zip"), simulations, progress)
    print(exported)


def restore(
    file: Annotated[Path, typer.Argument(metavar="ARCHIVE", help="what `studyhub export` has written")],
    name: Annotated[str | None, typer.Option(metavar="NAME", help="name that the study gets here, in place of its own")] = None,
    home: Home = Path(),
) -> None:
    """Take in a study that was exported elsewhere.

    Its trials count as finished here, so that a launch runs what is missing only.

    Example: studyhub import my_study.zip --name theirs
    """
    from studyhub.study import archive, remote
    from studyhub.study.store import Store
    from studyhub.verbs.bars import bar

    remote.pull(home, want=remote.STATE)
    with bar("trials") as progress:
        restored = archive.restore(file, Store(home), name, progress)
    remote.push(home, restored.study)
    print(restored)
