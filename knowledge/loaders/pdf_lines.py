"""The lines of a PDF page with what their look says: size, place, and whether they are set like code."""

import ctypes
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median
from typing import Any

_FIXED = re.compile(rb"mono|courier|consol|menlo|typewriter|cmtt|inconsolata|sourcecode|terminal|fixed", re.I)
_UNSEEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\u00ad\u200b\ufeff\ufffe\uffff]")
"""Control characters, and the hyphen of a divided word, whose halves PDFium puts on one line."""
_APART = 1.45
"""Lines this many usual line heights apart belong to two paragraphs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of text; `apart`: there is a gap above it; `level` is that of a heading, 0 for none."""

    text: str
    size: float = 0.0
    code: bool = False
    apart: bool = False
    level: int = 0


@dataclass(frozen=True, slots=True)
class _Place:
    line: Line
    left: float
    top: float
    base: float
    """The base lines of the first and the last character: a line with a divided word covers two on the page."""
    width: float
    """Of one character."""


def lines_of(document: Any, index: int) -> list[Line]:
    """The lines of a page that are not blank. Raises PdfiumError."""
    page = document[index]
    try:
        textpage = page.get_textpage()
        try:
            return _read(textpage)
        finally:
            textpage.close()
    finally:
        page.close()


def _read(textpage: Any) -> list[Line]:
    text = str(textpage.get_text_range())
    placed = len(text) == textpage.count_chars()  # else offsets in the text are not those of its characters
    places: list[_Place] = []
    for start, words in _split(text):
        line = Line(text=_UNSEEN.sub("", words).rstrip())
        places.append(_look(textpage, start, words, line) if placed else _Place(line, 0, 0, 0, 0))
    if placed:
        places = _indented(_spaced(places))
    return [place.line for place in places]


def _split(text: str) -> Iterator[tuple[int, str]]:
    cursor = 0
    for line in text.split("\n"):
        words = line.rstrip("\r")
        lead = len(words) - len(words.lstrip())
        if words.strip():
            yield cursor + lead, words[lead:]
        cursor += len(line) + 1


def _look(textpage: Any, start: int, words: str, line: Line) -> _Place:
    from pypdfium2 import raw

    last = start + len(words.rstrip(" \u00ad")) - 1
    first_box, last_box = raw.FS_RECTF(), raw.FS_RECTF()
    raw.FPDFText_GetLooseCharBox(textpage, start, first_box)
    raw.FPDFText_GetLooseCharBox(textpage, last, last_box)
    size = round(max(0.0, first_box.top - first_box.bottom) * 2) / 2
    samples = {start + (last - start) * quarter // 4 for quarter in range(5)}
    code = len(words) > 1 and all(words[at - start].isspace() or _is_fixed(raw, textpage, at) for at in samples)
    width = (last_box.right - first_box.left) / max(1, last - start + 1)
    return _Place(replace(line, size=size, code=code), first_box.left, first_box.bottom, last_box.bottom, width)


def _is_fixed(raw: Any, textpage: Any, index: int) -> bool:
    name = ctypes.create_string_buffer(128)
    flags = ctypes.c_int()
    size = raw.FPDFText_GetFontInfo(textpage, index, name, len(name), flags)
    return bool(size) and _FIXED.search(name.value) is not None


def _spaced(places: list[_Place]) -> list[_Place]:
    """Marks the lines that stand apart from the one above."""
    steps = [above.base - below.top for above, below in pairwise(places)]
    usual = median([step for step in steps if step > 1] or [0])
    return [
        replace(place, line=replace(place.line, apart=number > 0 and 0 < usual * _APART < steps[number - 1]))
        for number, place in enumerate(places)
    ]


def _indented(places: list[_Place]) -> list[_Place]:
    """Gives code the indentation that it has on the page."""
    found: list[_Place] = []
    begin = 0
    while begin < len(places):
        end = begin
        while end < len(places) and places[end].line.code == places[begin].line.code:
            end += 1
        block = places[begin:end]
        if block[0].line.code:
            left = min(place.left for place in block)
            width = median([place.width for place in block]) or 1.0
            for place in block:
                spaces = " " * min(60, round((place.left - left) / width))
                found.append(replace(place, line=replace(place.line, text=spaces + place.line.text)))
        else:
            found += block
        begin = end
    return found
