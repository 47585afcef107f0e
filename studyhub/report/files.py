"""The files of a report: the page, its tables and its figures."""

import json
import re
from contextlib import suppress
from pathlib import Path

from studyhub.errors import StoreError
from studyhub.report.page import Page, html
from studyhub.study.files import make_folder, read_json, write_texts
from studyhub.study.wording import listed

FILES = "report.json"
ADVICE = "make the folder writable, or name another with --out"
OURS = re.compile(r"index\.html|report\.json|(tables|figures|texts)/[A-Za-z0-9_]+\.(csv|tex|svg|txt|md|parquet)")


def write(page: Page, out: Path) -> Path:
    """Write a report in place of an earlier one.

    ``index.html`` needs none of the other files to be read; ``tables/``, ``figures/`` and ``texts/`` hold its content as CSV (Parquet where
    it is much), LaTeX, SVG and text, ``report.json`` lists them all. What an earlier report has left and this one has not goes; no other
    file is touched.

    Raises
    ------
    StoreError
        ``out`` cannot be written, or holds files of the same names that are not of a report.
    """
    found = page.files()
    texts = {"index.html": html(page, found)} | {file.path: file.content for files in found.values() for file in files}
    earlier = _earlier(out)
    taken = [name for name in texts if name not in earlier and (out / name).exists()]
    if taken:
        raise StoreError(f"{out}: holds files that are not of a report ({listed(taken, most=3)}); name another folder with --out")
    for folder in ("tables", "figures", *(("texts",) if page.documents() else ())):
        make_folder(out / folder, ADVICE)
    texts[FILES] = json.dumps({"kind": page.kind, "name": page.name, "files": list(texts)}, indent=1) + "\n"
    write_texts({out / name: text for name, text in texts.items()}, ADVICE)
    for name in earlier - texts.keys():
        with suppress(OSError):
            (out / name).unlink()
    return out / "index.html"


def _earlier(out: Path) -> set[str]:
    """Files of an earlier report, such as are where reports have theirs."""
    try:
        files = (read_json(out / FILES) or {}).get("files", [])
    except ValueError:
        return set()
    return {name for name in files if isinstance(name, str) and OURS.fullmatch(name)}
