"""The page as a browser shows it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from drawings import basin_row, data_facts
from playwright.sync_api import Browser, Page, sync_playwright

from studyhub.report.basins import write
from studyhub.report.render import report

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium or Chrome on PATH"), pytest.mark.slow]

HOSTILE = "<script>alert(1)</script>"
BASINS = (HOSTILE, "<img src=http://127.0.0.1:1/x onerror=alert(2)>", "]]>--><b>", "a & b", "$x^2$", *(f"0{i}" for i in range(8)))
FACTS = {b: {"gauge_lat": 40 + i, "gauge_lon": -70 - i, "climate_group": "</svg><script>alert(3)</script>"} for i, b in enumerate(BASINS)}
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


class Watch:
    """What a page does that a report must not do."""

    def __init__(self, page: Page, path: Path):
        self.page, self.faults = page, []
        page.on("console", lambda message: self.faults.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (self.faults.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: self._request(request.url, path))
        page.goto(path.as_uri())

    def _request(self, url: str, path: Path) -> None:
        if url != path.as_uri() and not url.startswith("data:"):
            self.faults.append(f"request: {url}")


@pytest.fixture
def path(toy, tmp_path) -> Path:
    toy.write(question=f"Is {HOSTILE} shown as text?", basins=BASINS, facts=FACTS)
    toy.end(lambda cell: "failed" if (cell.arm, cell.seed) == ("implicit", 2) else "finished")
    return report(toy.store, "toy", tmp_path / "out")


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_nothing_is_fetched_run_or_cut_off(browser, path, size):
    page = browser.new_page(viewport=size)
    watch = Watch(page, path)
    for summary in page.query_selector_all("summary"):
        summary.click()
    assert watch.faults == []
    assert page.inner_text("h1") == f"Is {HOSTILE} shown as text?"
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    cut = "[...document.querySelectorAll('h1,h2,p,li,figcaption,svg')].filter(e => e.getBoundingClientRect().right > innerWidth + 1).length"
    assert page.evaluate(cut) == 0
    page.close()


def test_hostile_names_are_text_wherever_they_stand(browser, path):
    page = browser.new_page(viewport=DESKTOP)
    Watch(page, path)
    assert page.evaluate("document.scripts.length") == 0
    assert page.evaluate("document.querySelectorAll('img, b').length") == 0
    assert "<memory>" in page.inner_text("#unfinished")
    assert "<script>alert(3)</script>" in page.text_content("#distributions")
    assert HOSTILE in page.text_content("#maps")
    page.close()


def test_every_figure_is_drawn_and_every_table_has_its_data(browser, path):
    page = browser.new_page(viewport=DESKTOP)
    Watch(page, path)
    charts = page.query_selector_all(".chart svg")
    assert len(charts) >= 10
    assert all((box := chart.bounding_box()) and box["width"] > 250 and box["height"] > 150 for chart in charts)
    with page.expect_download() as download:
        page.click("#table-medians a:has-text('CSV')")
    assert download.value.suggested_filename == "medians.csv"
    assert Path(download.value.path()).read_text() == (path.parent / "tables" / "medians.csv").read_text()
    page.close()


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_a_data_set_has_a_page_of_the_same_kind(browser, tmp_path, size):
    rows = [basin_row(i, name=HOSTILE, flagged=[HOSTILE]) for i in range(30)]
    page = browser.new_page(viewport=size)
    watch = Watch(page, write(data_facts(rows), rows, tmp_path / "data"))
    for summary in page.query_selector_all("summary"):
        summary.click()
    assert watch.faults == []
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    assert len(page.query_selector_all(".chart svg")) == 4
    assert HOSTILE in page.text_content("#map") and HOSTILE in page.inner_text("#quality")
    page.close()
