import re

import matplotlib
from drawings import HOSTILE, MANY, MARKUP, SVG, drawn, hovers, parsed, tables, texts

from studyhub.report import figures
from studyhub.report.drawing.names import labels, measure, plain
from studyhub.report.drawing.svg import inline


def test_hostile_names_come_out_as_text():
    for figure in drawn(HOSTILE):
        root = parsed(figure)
        assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
            "svg", "title", "desc", "g", "path", "use", "defs", "clipPath", "rect", "text",
        }  # fmt: skip
        assert not [key for element in root.iter() for key in element.attrib if key.lower().startswith("on")]
        assert re.fullmatch("[a-z0-9_]+", figure.name)
    legend = texts(drawn(HOSTILE)[0])
    assert {*MARKUP, "(no name)", "_hidden"} <= set(legend)
    assert "x" * 300 in hovers(drawn(HOSTILE)[0])


def test_names_of_files_differ_for_arms_that_differ():
    scores, basins = tables(["模型", "نموذج", "a b", "a_b"])
    found = [figures.score_map(scores, basins, arm, "kge") for arm in ("模型", "نموذج", "a b", "a_b")]
    assert len({figure.name for figure in found if figure}) == 4


def test_a_figure_stands_inside_a_page():
    for figure in drawn(["a", "b"]):
        root = parsed(figure)
        assert figure.svg.startswith("<svg ") and "<?" not in figure.svg and "<!" not in figure.svg and "<style" not in figure.svg
        assert "width" not in root.attrib and "height" not in root.attrib and root.get("viewBox")
        assert root.get("role") == "img"
        named = {element.get("id"): element.text for element in root if element.get("id")}
        assert [named[key] for key in root.get("aria-labelledby", "").split()] == [figure.title, figure.caption]
        addresses = re.findall(r"https?://[^\"' ]+", figure.svg)
        assert set(addresses) <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
        assert "<image" not in figure.svg


def test_ids_are_unique_in_a_page_and_every_reference_is_met():
    found = drawn(["a", "b"])
    assert len({figure.name for figure in found}) == len(found)
    ids = [element.get("id", "") for figure in found for element in parsed(figure).iter() if "id" in element.attrib]
    assert len(ids) == len(set(ids))
    for figure in found:
        inside = {element.get("id", "") for element in parsed(figure).iter()}
        references = set(re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', figure.svg))
        assert references and {a or b for a, b in references} <= inside
        assert all(name.startswith(f"{figure.name}-") for name in inside - {""})


def test_the_same_data_give_the_same_bytes_and_the_look_of_others_stays():
    before = dict(matplotlib.rcParams)
    first = [figure.svg for figure in drawn(["a", "b"])]
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "text.parse_math": True}):
        assert [figure.svg for figure in drawn(["a", "b"])] == first
    assert dict(matplotlib.rcParams) == before


def test_short_labels_fit_and_differ():
    names = [*MANY, "lstm", "x" * 300, "x" * 301, "y" * 300]
    for width in (60.0, 104.0, 130.0):
        found = labels(names, width)
        assert list(found) == names and len(set(found.values())) == len(names)
        assert max(map(measure, found.values())) <= width + 1
        assert found["lstm"] == "lstm"


def test_letters_that_the_font_lacks_warn_nobody():
    scores, basins = tables(["模型"])
    assert "模型" in texts(figures.ecdf(scores, ["模型"], "kge"))


def test_what_no_xml_can_hold_is_replaced():
    assert plain("a\x00b\ud800c\u202ed") == "a\ufffdb\ufffdc\ufffdd"
    assert plain(" two\nlines ") == "two lines"


def test_a_look_that_many_marks_share_is_said_once():
    marks = "".join(f'<use x="{i}.123456" y="1" style="fill: red"/>' for i in range(200))
    others = "".join(f'<use x="{i}" y="1" style="fill: {colour}"/>' for i, colour in enumerate(["red", "blue"] * 100))
    text = f'<svg xmlns="http://www.w3.org/2000/svg"><g>{marks}</g><g>{others}</g><g><use style="fill: red"/></g></svg>'
    found = inline(text, "n", "t", "c", {})
    assert found.count('<g style="fill: red">') == 1 and found.count('style="fill: red"') == 1 + 100 + 1
    assert found.count('style="fill: blue"') == 100
