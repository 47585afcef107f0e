"""Matplotlib's SVG, made fit to stand inside a page with others."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from studyhub.report.drawing.names import NOT_TEXT

FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"
SVG, XLINK, XML = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink", "http://www.w3.org/XML/1998/namespace"
PREFIXES = {SVG: "", XLINK: "xlink:", XML: "xml:"}
DROPPED = {"metadata", "style"}
REFERENCE = re.compile(r"(?<=url\(#)[^)]+(?=\))|(?<=^#).+")
NUMBER = re.compile(r"-?\d+\.\d+")
NO_TURN = re.compile(r"^rotate\(-?0(\.0*)? [^)]*\)$")
PATHS = {"use", "path"}
# Greys of a drawing that a page gives in its own theme: those of text, axes, grids and edges of marks.
THEMED = {"#1b1f24": "ink", "#5b6570": "soft", "#e3e7eb": "grid", "#b9c1c9": "frame", "#3d444b": "edge"}
THEMED |= {"#f6e3cf": "shaded"}  # grounds near the bounds of parameters
THEMED |= {"#2166ac": "win", "#b2182b": "lose"}  # words beside the ends of a colour bar
MOST_TOLD = 1000  # marks in a group beyond which none says what it is: a page of many such drawings would be too large
MANY = 100  # marks in a group beyond which their common look is said once


def inline(text: str, name: str, title: str, caption: str, hover: Mapping[str, str | Sequence[str]]) -> str:
    """Turn a whole SVG file into an element that scales with its place and shares no id or style with the page.

    Parameters
    ----------
    text : what matplotlib has written
    name : put before every id that is referred to; other ids are left out
    title, caption : read out to those who do not see the drawing
    hover : id of a group to what a browser shows there: one text, or one for each mark in it unless they are too many
    """
    root = ElementTree.fromstring(NOT_TEXT.sub("\ufffd", text))
    _tidy(root)
    for group in list(root.iter("g")):
        if told := hover.get(group.get("id", "")):
            _explain(group, told)
    _rename(root, name)
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    root.attrib |= {
        "xmlns": SVG,
        "xmlns:xlink": XLINK,
        "role": "img",
        "aria-labelledby": f"{name}-title {name}-desc",
        # Matplotlib says this in a style sheet for "*", which inside a page would be the page's.
        "style": f"stroke-linejoin: round; stroke-linecap: butt; font-family: {FONTS}",
    }
    for place, (tag, content) in enumerate((("title", title), ("desc", caption))):
        root.insert(place, _element(tag, NOT_TEXT.sub("\ufffd", content), id=f"{name}-{tag}"))
    return ElementTree.tostring(root, encoding="unicode")


def themed(svg: str) -> str:
    """A drawing whose greys follow the page it stands in; in a file of its own it keeps them, as not every program knows such colours."""
    for grey, name in THEMED.items():
        svg = svg.replace(grey, f"var(--{name})")
    return svg


def _tidy(element: Element) -> None:
    """Drop namespaces, metadata, style sheets, indentation and needless digits."""
    element.tag = _local(element.tag)
    for child in list(element):
        if _local(child.tag) in DROPPED:
            element.remove(child)
            continue
        _tidy(child)
        child.tail = None
    if element.tag != "text":
        element.text = None
    attributes = {_local(key): _tidied(_local(key), value) for key, value in element.attrib.items()}
    element.attrib.clear()
    element.attrib.update({key: value for key, value in attributes.items() if value})
    _unwrap(element)
    _say_once(element)


def _unwrap(group: Element) -> None:
    """Clip a group in place of each of its many marks."""
    wraps = [child for child in group if child.tag == "g"]
    clips = {wrap.get("clip-path") if len(wrap) == 1 and list(wrap.attrib) == ["clip-path"] else None for wrap in wraps}
    if len(wraps) <= MANY or len(clips) > 1 or None in clips or "clip-path" in group.attrib:
        return
    if any(child.tag not in ("g", "defs") for child in group):
        return
    group.set("clip-path", clips.pop() or "")
    group[:] = [child[0] if child.tag == "g" else child for child in group]


def _say_once(group: Element) -> None:
    """Give a group the look that all of its many marks share: so thousands of them stay small."""
    marks = [child for child in group if child.tag in PATHS]
    if len(marks) <= MANY:
        return
    if "clip-path" not in group.attrib and len({mark.get("clip-path") for mark in marks}) == 1 and marks[0].get("clip-path"):
        group.set("clip-path", marks[0].attrib["clip-path"])
        for mark in marks:
            del mark.attrib["clip-path"]
    looks = [mark.get("style", "").split("; ") for mark in marks]
    shared = [part for part in looks[0] if part and all(part in look for look in looks)]
    if "style" not in group.attrib and shared:
        group.set("style", "; ".join(shared))
        for mark, look in zip(marks, looks, strict=True):
            own = "; ".join(part for part in look if part not in shared)
            mark.attrib |= {"style": own}
            if not own:
                del mark.attrib["style"]


@cache
def _local(key: str) -> str:
    namespace, found, local = key[1:].partition("}")
    return PREFIXES[namespace] + local if found else key


def _tidied(key: str, value: str) -> str:
    if key == "transform" and NO_TURN.match(value):
        return ""
    if key in {"d", "x", "y", "transform", "width", "height"}:
        value = NUMBER.sub(lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), value)
    if key == "style":
        value = re.sub(r"font-family: [^;]*;? ?", "", value).rstrip("; ")
    return " ".join(value.split())


def _explain(group: Element, told: str | Sequence[str]) -> None:
    if isinstance(told, str):
        group.insert(0, _element("title", NOT_TEXT.sub("\ufffd", told)))
        return
    if len(told) > MOST_TOLD:
        return
    parents = [(parent, child) for parent in group.iter() if parent.tag != "defs" for child in parent if child.tag in PATHS]
    for (parent, mark), text in zip(parents, told, strict=True):
        around = _element("g")
        around.extend((_element("title", NOT_TEXT.sub("\ufffd", text)), mark))
        parent[list(parent).index(mark)] = around


def _rename(root: Element, name: str) -> None:
    elements = list(root.iter())
    referring = (value for element in elements for value in element.attrib.values() if "#" in value)
    used = dict.fromkeys(found for value in referring for found in REFERENCE.findall(value))
    short = {known: f"{name}-{place}" for place, known in enumerate(used)}
    for element in elements:
        for key, value in list(element.attrib.items()):
            if key == "id":
                del element.attrib["id"]
                if value in short:
                    element.set("id", short[value])
            elif "#" in value:
                element.set(key, REFERENCE.sub(lambda found: short[found[0]], value))


def _element(tag: str, text: str | None = None, **attributes: str) -> Element:
    element = Element(tag, attributes)
    element.text = text
    return element
