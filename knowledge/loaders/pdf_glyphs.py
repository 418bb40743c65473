"""The runs of glyphs on a PDF page with their place, turned upright: what PDFium knows of each character, put together."""

import ctypes
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from knowledge.text.normal import normalised

_FIXED = re.compile(rb"mono|courier|consol|menlo|typewriter|cmtt|inconsolata|sourcecode|terminal|fixed", re.I)
_DIVIDED = "\x02\u00ad\ufffe"
"""What PDFium gives for the hyphen of a divided word."""
_UNSEEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\uffff]")
_QUARTER = math.pi / 2
_ASKEW = 0.2
"""Text turned further than this (radians) from the sides of the page is a watermark or a label."""
_GAP = 0.65
"""A gap of this many times the size of the type parts two runs; two columns of a narrow page leave no more between them."""
_STEP = 0.5
"""A base line this share of the size higher or lower is another line."""
_RAISED, _SMALLER = 0.12, 0.82
"""A smaller character whose foot stands this share of the size higher is an exponent or the mark of a note."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Characters beside each other on one line; lengths in points, `base` and `top` grow upwards, `width` is of one character.

    `divided`: the last word goes on in the next line. `turn` counts quarter turns, None for text that stands askew.
    """

    text: str
    left: float
    right: float
    base: float
    top: float
    size: float
    width: float
    code: bool
    divided: bool
    turn: int | None


@dataclass(frozen=True, slots=True)
class _Glyph:
    index: int
    character: str
    left: float
    right: float
    base: float
    top: float
    turn: int | None

    @property
    def size(self) -> float:
        return self.top - self.base


def runs_of(textpage: Any) -> list[Run]:
    """The runs of the page that are not blank, turned as most of the page's text is, in the order of the file."""
    from pypdfium2 import raw

    glyphs = list(_glyphs(raw, textpage))
    turns = Counter(glyph.turn for glyph in glyphs if glyph is not None and glyph.turn is not None)
    upright = turns.most_common(1)[0][0] if turns else 0
    found: list[Run] = []
    current: list[_Glyph] = []

    def end() -> None:
        if run := _run(raw, textpage, current):
            found.append(run)
        current.clear()

    for glyph in glyphs:
        if glyph is None:
            end()
            continue
        placed = _turned(glyph, upright if glyph.turn is None else glyph.turn)
        if current and not _goes_on(current, placed):
            end()
        current.append(placed)
    end()
    # what is turned otherwise than the page (the label of an axis) has no place among its lines
    return [run for run in found if run.turn == upright] + [run for run in found if run.turn != upright]


def _glyphs(raw: Any, textpage: Any) -> Iterator[_Glyph | None]:
    """The characters in the order of the file; None where PDFium breaks a line."""
    count = textpage.count_chars()
    text = str(textpage.get_text_range()) if count else ""
    if len(text) != count:  # else offsets in the text are not those of its characters
        units = [raw.FPDFText_GetUnicode(textpage, index) for index in range(count)]
        text = "".join(chr(unit) if unit < 0x110000 else "\ufffd" for unit in units)
    box = raw.FS_RECTF()
    for index in range(count):
        character = text[index]
        if character in "\r\n":
            yield None
            continue
        raw.FPDFText_GetLooseCharBox(textpage, index, box)
        angle = raw.FPDFText_GetCharAngle(textpage, index)
        quarters = round(angle / _QUARTER)
        turn = None if abs(angle - quarters * _QUARTER) > _ASKEW else quarters % 4
        yield _Glyph(index, character, box.left, box.right, box.bottom, box.top, turn)


def _turned(glyph: _Glyph, turn: int) -> _Glyph:
    """The glyph on a page that is turned so that its text runs from left to right. PDFium counts turns clockwise."""
    left, right, low, high = glyph.left, glyph.right, glyph.base, glyph.top
    match turn:
        case 1:
            left, right, low, high = -high, -low, left, right
        case 2:
            left, right, low, high = -right, -left, -high, -low
        case 3:
            left, right, low, high = low, high, -right, -left
    return _Glyph(glyph.index, glyph.character, left, right, low, high, glyph.turn)


def _goes_on(before: Sequence[_Glyph], glyph: _Glyph) -> bool:
    """Whether a glyph stands on the same line as those before it, and next to them."""
    if glyph.turn != before[-1].turn:
        return False
    if glyph.turn is None or glyph.character.isspace() or glyph.size <= 0:
        return True
    last = next((one for one in reversed(before) if not one.character.isspace() and one.size > 0), None)
    if last is None:
        return True
    size = max(last.size, glyph.size)
    near = -size < glyph.left - last.right < _GAP * size
    return near and abs(glyph.base - last.base) < _STEP * size


def _run(raw: Any, textpage: Any, glyphs: Sequence[_Glyph]) -> Run | None:
    """Glyphs as a run; None where nothing is seen."""
    seen = [glyph for glyph in glyphs if not glyph.character.isspace() and glyph.character not in _DIVIDED]
    if not seen:
        return None
    size = max(glyph.size for glyph in seen)
    foot = min(glyph.base for glyph in seen if glyph.size >= _SMALLER * size)
    parts: list[str] = []
    high = False
    for glyph in glyphs:
        raised = 0 < glyph.size < _SMALLER * size and glyph.base - foot > _RAISED * size
        if (
            raised
            and not high
            and parts
            and not parts[-1].isspace()
            and (glyph.character.isalnum() or glyph.character in "-−+")
        ):
            parts.append("^")
        high = raised
        parts.append(glyph.character)
    whole = "".join(parts).strip()
    text = normalised(
        _UNSEEN.sub("", whole.translate(dict.fromkeys(map(ord, _DIVIDED))))
        .encode("utf-16", "surrogatepass")
        .decode("utf-16", "replace")
    )
    if not text.strip():
        return None
    left, right = min(glyph.left for glyph in seen), max(glyph.right for glyph in seen)
    step = max(1, len(seen) // 4)
    return Run(
        text=text.strip(),
        left=left,
        right=right,
        base=foot,
        top=max(glyph.top for glyph in seen),
        size=round(max(0.0, size) * 2) / 2,
        width=(right - left) / max(1, len(whole)),
        code=len(seen) > 1 and all(_is_fixed(raw, textpage, glyph.index) for glyph in [*seen[::step], seen[-1]]),
        divided=whole[-1:] in _DIVIDED and whole[-1:] != "",
        turn=seen[0].turn,
    )


def _is_fixed(raw: Any, textpage: Any, index: int) -> bool:
    name = ctypes.create_string_buffer(128)
    flags = ctypes.c_int()
    size = raw.FPDFText_GetFontInfo(textpage, index, name, len(name), flags)
    return bool(size) and _FIXED.search(name.value) is not None
