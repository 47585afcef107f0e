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
LONG, TURNED = "x" * 300, "نهر \u202etxt.exe"
BASINS = (HOSTILE, "<img src=http://127.0.0.1:1/x onerror=alert(2)>", "]]>--><b>", "a & b", "$x^2$", *(f"0{i}" for i in range(8)))
CLIMATE = "</svg><script>alert(3)</script>"
FACTS = {
    b: {
        "gauge_lat": 40 + i,
        "gauge_lon": -70 - i,
        "climate_group": CLIMATE if i % 2 else "cold",
        "name": (f"{HOSTILE}\"'", LONG, TURNED, "Rhône")[i % 4],
    }
    for i, b in enumerate(BASINS)
}
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


@pytest.fixture(scope="module")
def path(lasting_toy) -> Path:
    toy = lasting_toy
    toy.write(question=f"Is {HOSTILE} shown as text?", basins=BASINS, facts=FACTS)
    toy.end(lambda cell: "failed" if (cell.arm, cell.seed) == ("implicit", 2) else "finished")
    return report(toy.store, "toy", toy.home / "out")


def draw_all(page: Page) -> None:
    """Let every chart be drawn, as for a reader who scrolls through the page."""
    for figure in page.query_selector_all("figure.live"):
        figure.scroll_into_view_if_needed()
        page.wait_for_function("figure => 'drawn' in figure.dataset", arg=figure)


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_nothing_is_fetched_run_or_cut_off(browser, path, size):
    page = browser.new_page(viewport=size)
    watch = Watch(page, path)
    for summary in page.query_selector_all("summary"):
        summary.click()
    draw_all(page)
    assert watch.faults == []
    assert page.inner_text("h1") == f"Is {HOSTILE} shown as text?"
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    cut = "[...document.querySelectorAll('h1,h2,p,li,figcaption,svg')].filter(e => e.getBoundingClientRect().right > innerWidth + 1).length"
    assert page.evaluate(cut) == 0
    page.close()


def test_hostile_names_are_text_wherever_they_stand(browser, path):
    page = browser.new_page(viewport=DESKTOP)
    watch = Watch(page, path)
    draw_all(page)
    assert watch.faults == []
    assert page.evaluate("document.querySelectorAll('img, b').length") == 0
    assert "<memory>" in page.inner_text("#unfinished")
    assert "<script>alert(3)</script>" in page.text_content("main")
    assert HOSTILE in page.text_content("#maps")
    page.close()


def test_every_figure_is_drawn_and_every_table_has_its_data(browser, path):
    page = browser.new_page(viewport=DESKTOP)
    Watch(page, path)
    charts = page.query_selector_all(".chart svg")
    assert len(charts) >= 10
    assert all((box := chart.bounding_box()) and box["width"] > 250 and box["height"] > 60 for chart in charts)
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


def opened(browser: Browser, path: Path, **looks) -> tuple[Page, Watch]:
    page = browser.new_page(viewport=DESKTOP, **looks)
    watch = Watch(page, path)
    draw_all(page)
    return page, watch


def choose(page: Page, label: str, text: str, within: str = "#figure-explorer") -> None:
    page.locator(within).get_by_label(label, exact=True).select_option(label=text)
    page.wait_for_timeout(400)


def marks(page: Page, view: str) -> str:
    return page.inner_html(f"#figure-explorer .{view} svg")


def test_tables_are_sorted_by_their_headings(browser, path):
    page, watch = opened(browser, path)
    table = page.locator("#table-medians")
    shown = lambda place: [row.split("\t")[place] for row in table.locator("tbody").inner_text().splitlines()]  # noqa: E731
    heading = table.locator("th", has_text="KGE").first
    place = heading.evaluate("th => th.cellIndex")
    heading.get_by_role("button").click()
    falling = [float(text) for text in shown(place) if text != "–"]
    assert heading.get_attribute("aria-sort") == "descending" and falling == sorted(falling, reverse=True) and len(falling) > 1
    heading.get_by_role("button").press("Enter")
    assert heading.get_attribute("aria-sort") == "ascending" and [float(text) for text in shown(place) if text != "–"] == falling[::-1]
    assert watch.faults == []
    page.close()


def test_another_metric_arm_or_group_changes_every_view(browser, path):
    page, watch = opened(browser, path)
    before = {view: marks(page, view) for view in ("map", "ecdf", "scatter", "boxes")}
    said = page.inner_text("#figure-explorer .summary")
    assert said.startswith("Median KGE over ") and "implicit is better in 100 %" in said
    choose(page, "Metric", "Log NSE")
    assert page.inner_text("#figure-explorer .summary").startswith("Median Log NSE over ")
    assert "Log NSE" in page.inner_html("#figure-explorer .ecdf svg")
    choose(page, "Metric", "Low-flow RMSE")
    after = {view: marks(page, view) for view in before}
    assert all(after[view] != before[view] for view in before)
    choose(page, "Arm A", "sequential")
    choose(page, "Arm B", "implicit")
    assert "sequential is better in 0 %" in page.inner_text("#figure-explorer .summary")
    choose(page, "Colour", "score of A")
    assert page.inner_text("#figure-explorer .sub").startswith("Low-flow RMSE (mm/d) of sequential")
    choose(page, "Only", CLIMATE)
    assert "6 basins" in page.inner_text("#figure-explorer .search") and page.locator("#figure-explorer tbody tr").count() == 6
    page.get_by_label("Find a basin").fill("rhône")
    assert page.locator("#figure-explorer tbody tr").count() == 3
    assert watch.faults == []
    page.close()


def test_an_area_of_the_map_and_a_basin_are_found_in_every_view(browser, path):
    page, watch = opened(browser, path)
    view = page.locator("#figure-explorer .map svg")
    view.scroll_into_view_if_needed()
    box = view.bounding_box()
    before = marks(page, "ecdf")
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 12)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 20, box["y"] + box["height"] - 90, steps=5)
    page.mouse.up()
    page.wait_for_timeout(600)
    assert "of the area that is marked" in page.inner_text("#figure-explorer .summary") and marks(page, "ecdf") != before
    count = page.locator("#figure-explorer tbody tr").count()
    assert 0 < count < len(BASINS)
    page.get_by_role("button", name="Let go of the marked area and basin").click()
    page.wait_for_timeout(500)
    assert page.locator("#figure-explorer tbody tr").count() == len(BASINS)
    rings = len(page.query_selector_all("#figure-explorer .map path[d]"))
    page.locator("#figure-explorer tbody button").first.press("Enter")
    page.wait_for_timeout(300)
    assert len(page.query_selector_all("#figure-explorer .map path[d]")) == rings + 1
    zoomed = marks(page, "map")
    page.get_by_role("button", name="Zoom in").first.click()
    page.wait_for_timeout(300)
    assert marks(page, "map") != zoomed and watch.faults == []
    page.close()


def test_hydrographs_are_zoomed_and_chosen(browser, path):
    page, watch = opened(browser, path)
    chart, period = page.locator("#figure-hydrographs"), page.locator("#figure-hydrographs .summary")
    assert "1994-10-01 to 1995-09-30" in period.inner_text()
    chart.get_by_role("button", name="Zoom in").press("Enter")
    assert "1994-12-31 to 1995-07-01" in period.inner_text()
    chart.get_by_role("button", name="Earlier").click()
    chart.get_by_role("button", name="Whole period").click()
    assert "1993-10-01 to 1995-09-30" in period.inner_text()
    strip = chart.locator(".strip svg")
    strip.scroll_into_view_if_needed()
    box = strip.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 20, steps=4)
    page.mouse.up()
    dragged = period.inner_text()
    assert "1993-10-01 to 1995-09-30" not in dragged and "1994-" in dragged
    drawn = chart.locator(".focus").evaluate("place => place.view.signal('to') - place.view.signal('from')") / 86_400_000
    assert 100 < drawn < 200
    choose(page, "Basin", chart.locator("select").first.locator("option").nth(2).inner_text(), "#figure-hydrographs")
    assert period.inner_text().split(",")[0] != dragged.split(",")[0]
    chart.get_by_label("sequential").uncheck()
    page.wait_for_timeout(300)
    assert "sequential" not in period.inner_text() and watch.faults == []
    page.close()


def test_what_is_pointed_at_is_told_as_text(browser, path):
    page, watch = opened(browser, path)
    page.locator("#figure-explorer .scatter svg").scroll_into_view_if_needed()
    told = set()
    for mark in page.query_selector_all("#figure-explorer .scatter svg .mark-symbol path"):
        box = mark.bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        told.add(page.inner_text(".tip"))
    assert any(HOSTILE in text for text in told) and any(LONG[:100] in text for text in told) and any("نهر" in text for text in told)
    assert page.evaluate("document.querySelectorAll('.tip img, .tip script, .tip b').length") == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= DESKTOP["width"] and watch.faults == []
    page.close()


def test_the_keyboard_reaches_every_control_and_shows_where_it_is(browser, path):
    page, _ = opened(browser, path)
    page.locator("#figure-explorer select").first.focus()
    where = "e => `${e.tagName} ${(e.ariaLabel ?? e.textContent).slice(0, 9)}`"
    reached = set()
    for _ in range(12):
        reached.add(page.locator(":focus").evaluate(where))
        page.keyboard.press("Tab")
    assert sum(name.startswith("SELECT") for name in reached) >= 5 and "BUTTON Zoom in" in reached
    unnamed = (
        "[...document.querySelectorAll('select,input,button')].filter(e => !(e.labels?.length || e.ariaLabel || e.textContent.trim()))"
    )
    assert page.evaluate(f"{unnamed}.length") == 0
    page.locator("#table-medians .sort").first.focus()
    page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(e => Number(e.tagName[1]))")
    assert levels[0] == 1 and levels.count(1) == 1 and all(b - a <= 1 for a, b in zip(levels, levels[1:], strict=False))
    assert page.evaluate("[...document.querySelectorAll('figure svg[role=img]')].every(e => e.getAttribute('aria-labelledby'))")
    page.close()


CONTRAST = """() => {
  const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (rgb) => rgb.slice(0, 3).map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (e) => { for (; e; e = e.parentElement) { const c = numbers(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
  const ink = (e) => numbers(e instanceof SVGElement ? getComputedStyle(e).fill : getComputedStyle(e).color);
  return [...document.querySelectorAll('p,a,td,th,li,h1,h2,summary,figcaption,button,label,select,legend,span.verdict,svg text')]
    .filter((e) => e.getClientRects().length && e.textContent.trim())
    .map((e) => { const [a, b] = [light(ink(e)), light(ground(e))].sort((x, y) => y - x); return [(a + 0.05) / (b + 0.05), e.tagName + ' ' + e.textContent.slice(0, 40)]; })
    .filter(([ratio]) => ratio < 4.5);
}"""  # noqa: E501


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_is_legible_in_both_themes(browser, path, theme):
    page, watch = opened(browser, path, color_scheme=theme)
    assert page.evaluate(CONTRAST) == []
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == (theme == "light")
    page.emulate_media(color_scheme="light" if theme == "dark" else "dark")
    page.wait_for_timeout(800)
    assert page.evaluate(CONTRAST) == [] and watch.faults == []
    page.close()


def test_on_paper_and_without_script_nothing_is_missing(browser, path):
    page, _ = opened(browser, path)
    page.emulate_media(media="print", color_scheme="dark")
    assert not page.locator("#figure-explorer .stage").is_visible() and page.locator("#figure-explorer .paper").is_visible()
    assert page.locator("#figure-ecdf_kge svg").is_visible()
    page.close()
    still = browser.new_context(java_script_enabled=False, viewport=DESKTOP).new_page()
    still.goto(path.as_uri())
    assert "switched off here" in still.locator("#figure-explorer").inner_text()
    assert still.locator("#table-medians tbody tr").count() >= 2 and still.locator("button, select").count() == 0
    still.context.close()
