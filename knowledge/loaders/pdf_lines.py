"""The lines of a PDF page in reading order, with what their look says: size, place, and whether they are set like code.

A page is cut into bands, stretches of lines that leave the same gutter free. Where long lines fill both sides of a gutter, these
are columns and are read one after the other; where the sides are short, these are the cells of a table and are read across.
"""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median
from typing import Any

from knowledge.loaders.pdf_glyphs import Run, runs_of

_APART = 1.45
"""Lines this many usual line heights apart belong to two paragraphs."""
_ON_LINE = 0.35
"""Share of the size by which the base lines of one line may differ."""
_GUTTER = 0.65
"""Width of a gutter, in sizes of the type."""
_LONG = 12
"""Characters of a line from which it may be one of running text beside other text."""
_FILLED = 0.7
"""Share of its column's width that the usual line of running text takes."""
_MOST_COLUMNS = 4
_WIDE = 3.0
"""A gap this many sizes wide shows in a line, as between the cells of a table."""

STAMP = 40
"""Characters below which a page that is a picture counts as one without text."""
SOMETHING = 0.05
"""Share of a page without text from which what is drawn on it may be text."""
_DRAWING = 40
"""Paths from which a page is a drawing, such as letters that were turned into outlines."""

Gap = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of text; `apart`: there is a gap above it; `level` is that of a heading, 0 for none.

    `parts` are its stretches that stand apart from each other; `height` is where it stands, in points from the foot of the page.
    """

    text: str
    size: float = 0.0
    code: bool = False
    apart: bool = False
    level: int = 0
    parts: tuple[str, ...] = ()
    height: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PageText:
    """What stands on a page, and the share of it that a picture covers."""

    lines: list[Line]
    pictured: float


Row = list[Run]


def page_of(document: Any, index: int) -> PageText:
    """A page's lines that are not blank. Raises PdfiumError."""
    page = document[index]
    try:
        textpage = page.get_textpage()
        try:
            runs = runs_of(textpage)
        finally:
            textpage.close()
        upright = [run for run in runs if run.turn == runs[0].turn]
        lines = _lines(upright) + [Line(text=run.text, size=run.size, apart=True) for run in runs[len(upright) :]]
        lines = _with_addresses(page, lines, "\n".join(run.text for run in runs))
        few = sum(len(line.text) for line in lines) < STAMP
        return PageText(lines=lines, pictured=_pictured(page) if few else 0.0)
    finally:
        page.close()


def _lines(runs: Sequence[Run]) -> list[Line]:
    placed: list[tuple[Line, Run]] = []
    for band in _bands(_rows(runs)):
        placed += _read(band)
    return _indented(_spaced(placed))


def _rows(runs: Sequence[Run]) -> list[Row]:
    """Runs on one base line, from the top of the page down, each from left to right."""
    rows: list[Row] = []
    for run in sorted(runs, key=lambda run: -run.base):
        last = rows[-1] if rows else None
        if last is not None and abs(last[0].base - run.base) <= _ON_LINE * max(last[0].size, run.size):
            last.append(run)
        else:
            rows.append([run])
    return [sorted(row, key=lambda run: run.left) for row in rows]


def _bands(rows: Sequence[Row]) -> list[list[Row]]:
    """Stretches of rows that leave the same gutter free."""
    if not rows:
        return []
    left, right = min(row[0].left for row in rows), max(run.right for row in rows for run in row)
    bands: list[list[Row]] = []
    common: list[Gap] = []
    for row in rows:
        free = _free(row, left - 1, right + 1)
        shared = _shared(common, free) if bands else []
        if shared:
            bands[-1].append(row)
            common = shared
        else:
            moved = (_below_columns(bands[-1], common) or _beside(bands[-1], row)) if bands else []
            if moved:
                bands[-1] = bands[-1][: -len(moved)]
            bands.append([*moved, row])
            common = free
            for other in moved:
                common = _shared(common, _free(other, left - 1, right + 1))
    return [band for band in bands if band]


def _beside(band: list[Row], row: Row) -> list[Row]:
    """The last rows of a band that stand beside a row which goes on elsewhere: the other column, whose lines are not level."""
    common = _free(row, -1e6, 1e6)
    moved: list[Row] = []
    for above in reversed(band):
        common = _shared(common, _free(above, -1e6, 1e6))
        if not _gutters([above, *moved, row], common):
            break
        moved.insert(0, above)
    return moved


def _below_columns(band: list[Row], common: Sequence[Gap]) -> list[Row]:
    """The last rows of a band that stand below its columns: a heading of what follows over the whole width."""
    gutters = _gutters(band, common)
    if not gutters:
        return []
    middle = sum(gutters[0]) / 2
    moved: list[Row] = []
    lowest = min(run.base for row in band for run in row if run.left > middle)
    body = median([run.size for row in band for run in row])
    for above, row in reversed(list(pairwise(band))):
        one_sided = len(row) == 1 and row[0].right < middle and row[0].base < lowest
        if not one_sided:
            break
        moved.insert(0, row)
        if row[0].size > 1.1 * body or above[0].base - row[0].base > 2 * body:
            return moved
    return []


def _free(row: Row, left: float, right: float) -> list[Gap]:
    """Where nothing of a row stands, between the sides of the text."""
    least = _GUTTER * max(run.size for run in row)
    edges = [left, *(edge for run in row for edge in (run.left, run.right)), right]
    return [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= least]


def _shared(first: Sequence[Gap], second: Sequence[Gap]) -> list[Gap]:
    both = ((max(a, c), min(b, d)) for a, b in first for c, d in second)
    return [(low, high) for low, high in both if high - low >= 3]


def _gutters(band: Sequence[Row], common: Sequence[Gap]) -> list[Gap]:
    """The free stretches that have text on both sides."""
    left, right = min(row[0].left for row in band), max(run.right for row in band for run in row)
    return [(a, b) for a, b in common if left < a and b < right]


def _read(band: list[Row]) -> list[tuple[Line, Run]]:
    """A band's lines in reading order, each with its first run."""
    common = _free(band[0], -1e6, 1e6)
    for row in band[1:]:
        common = _shared(common, _free(row, -1e6, 1e6))
    gutters = sorted(_gutters(band, common))
    if not gutters:
        return [_line(row) for row in band]
    cells = [
        [_between(row, a, b) for row in band] for a, b in pairwise([-1e6, *(sum(gap) / 2 for gap in gutters), 1e6])
    ]
    groups = _groups(band, cells)
    running = len(cells) <= _MOST_COLUMNS and all(map(_is_running_text, cells))
    if running and len(groups) < 3:
        return [_line(row) for column in cells for row in column if row]
    found: list[tuple[Line, Run]] = []
    for start, end in groups:
        columns = [[row for row in column[start:end] if row] for column in cells]
        wrapped = end - start > 1 and (
            running or (len(columns[0]) == 1 and any(len(column) > 1 for column in columns[1:]))
        )
        if wrapped:
            found += [_line(row) for column in columns for row in column]
        else:
            found += [_line(row) for row in band[start:end]]
    return found


def _between(row: Row, low: float, high: float) -> Row:
    return [run for run in row if low <= (run.left + run.right) / 2 < high]


def _is_running_text(column: Sequence[Row]) -> bool:
    """Whether the rows of a column are lines of text that fill it, and not the cells of a table."""
    rows = [row for row in column if row]
    if len(rows) < 3 or len(rows) < 0.5 * len(column):
        return False
    width = max(row[-1].right for row in rows) - min(row[0].left for row in rows)
    long = median([sum(len(run.text) for run in row) for row in rows])
    return long >= _LONG and median([row[-1].right - row[0].left for row in rows]) >= _FILLED * width


def _groups(band: Sequence[Row], columns: Sequence[Sequence[Row]]) -> list[tuple[int, int]]:
    """Where the rows of a band are parted by gaps that go through all of it: the rows of a table whose cells have many lines."""
    inside = sorted(gap for column in columns for gap in _gaps([row for row in column if row]))
    usual = inside[len(inside) // 4] if inside else 0.0  # the lines of one cell are nearer, and mostly more
    gaps = _gaps(band)
    least = usual + 0.3 * median([run.size for row in band for run in row])
    cuts = [0, *(number for number, gap in enumerate(gaps, 1) if gap > max(0.0, least)), len(band)]
    return list(pairwise(cuts))


def _gaps(rows: Sequence[Row]) -> list[float]:
    return [min(run.base for run in above) - max(run.top for run in below) for above, below in pairwise(rows)]


def _line(row: Row) -> tuple[Line, Run]:
    parts = [row[0].text]
    for before, run in pairwise(row):
        if run.left - before.right > _WIDE * run.size:
            parts.append(run.text)
        else:
            parts[-1] += f" {run.text}"
    first = row[0]
    line = Line(
        text="   ".join(parts) + ("\u00ad" if row[-1].divided else ""),
        size=max(run.size for run in row),
        code=all(run.code for run in row),
        parts=tuple(parts),
        height=first.base,
    )
    return line, first


def _spaced(placed: list[tuple[Line, Run]]) -> list[tuple[Line, Run]]:
    """Marks the lines that stand apart from the one above, and joins the halves of a divided word."""
    steps = [above.base - below.base for (_, above), (_, below) in pairwise(placed)]
    usual = median([step for step in steps if step > 1] or [0])
    found: list[tuple[Line, Run]] = []
    for number, (line, run) in enumerate(placed):
        if found and found[-1][0].text.endswith("\u00ad"):
            above = found[-1][0]
            found[-1] = (replace(above, text=above.text[:-1] + line.text), found[-1][1])
            continue
        step = steps[number - 1] if number else 0.0
        found.append((replace(line, apart=number > 0 and (0 < usual * _APART < step or step < -1)), run))
    return [(replace(line, text=line.text.rstrip("\u00ad")), run) for line, run in found]


def _indented(placed: list[tuple[Line, Run]]) -> list[Line]:
    """Gives code the indentation that it has on the page."""
    found: list[Line] = []
    begin = 0
    while begin < len(placed):
        end = begin
        while end < len(placed) and placed[end][0].code == placed[begin][0].code:
            end += 1
        block = placed[begin:end]
        if block[0][0].code:
            left = min(run.left for _, run in block)
            width = median([run.width for _, run in block]) or 1.0
            for line, run in block:
                spaces = " " * min(60, round((run.left - left) / width))
                found.append(replace(line, text=spaces + line.text))
        else:
            found += [line for line, _ in block]
        begin = end
    return found


def _with_addresses(page: Any, lines: list[Line], words: str) -> list[Line]:
    """Where the links of a page lead, behind the lines that hold their words, unless it is written there."""
    from pypdfium2 import raw

    position, link = ctypes.c_int(0), raw.FPDF_LINK()
    box = raw.FS_RECTF()
    found: dict[str, tuple[float, float]] = {}
    while raw.FPDFLink_Enumerate(page, position, link):
        action = raw.FPDFLink_GetAction(link)
        size = raw.FPDFAction_GetURIPath(page.pdf, action, None, 0) if action else 0
        if not size or not raw.FPDFLink_GetAnnotRect(link, box):
            continue
        text = ctypes.create_string_buffer(size)
        raw.FPDFAction_GetURIPath(page.pdf, action, text, size)
        address = text.value.decode("utf-8", "replace").strip()
        if address and address.partition(":")[2].strip("/") not in words:
            found[address] = (box.bottom, box.top)  # of a link over several lines the last one
    for address, (low, high) in found.items():
        at = next((number for number, line in enumerate(lines) if low - 2 <= line.height <= high), None)
        if at is not None:
            lines[at] = replace(lines[at], text=f"{lines[at].text} <{address}>")
    return lines


def _pictured(page: Any) -> float:
    """The share of a page that its largest picture covers; little for a single drawing, 1 for a page of drawings."""
    from pypdfium2 import raw

    width, height = page.get_size()
    drawn, most = 0, 0.0
    for thing in page.get_objects(max_depth=3):
        left, bottom, right, top = thing.get_bounds()
        share = (right - left) * (top - bottom) / max(1.0, width * height)
        drawn += thing.type == raw.FPDF_PAGEOBJ_PATH
        if thing.type == raw.FPDF_PAGEOBJ_IMAGE:
            most = max(most, share)
        elif share > SOMETHING:
            most = max(most, 2 * SOMETHING)
    return 1.0 if drawn >= _DRAWING else most
