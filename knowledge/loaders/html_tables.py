"""Tables of HTML pages: whether they hold data, and their rows."""

from collections.abc import Callable
from typing import Any

_LONG_CELL = 400
_WIDEST = 100
"""A cell that claims to cover more rows or columns is taken at this."""


def made_for_looks(table: Any) -> bool:
    """True for a table whose cells hold other tables, headings, blocks of code or long lists: no row of Markdown can."""
    others = any(inner.mem_id != table.mem_id for inner in table.css("table"))
    return (
        others
        or table.css_first("h1, h2, h3, h4") is not None
        or any("\n" in code.text().strip() for code in table.css("pre"))
        or any(len(cell.text()) > _LONG_CELL and cell.css_first("ul, ol") is not None for cell in table.css("th, td"))
    )


def grid(table: Any, write: Callable[[Any], str]) -> list[list[str]]:
    """The rows of a table, all of one length. A cell over several rows stands in each of them, so that each says all it means.
    `write` makes the text of a cell.
    """
    rows: list[list[str]] = []
    reaching: dict[int, tuple[str, int]] = {}
    for row in table.css("tr"):
        cells = iter(row.css("th, td"))
        written: list[str] = []
        above, reaching = reaching, {}
        while True:
            at = len(written)
            if at in above:
                words, further = above.pop(at)
                further -= 1
                written.append(words)
            else:
                cell = next(cells, None)
                if cell is None and not above:
                    break
                words, further = (write(cell), _span(cell, "rowspan") - 1) if cell is not None else ("", 0)
                written.append(words)
                for beside in range(1, _span(cell, "colspan") if cell is not None else 1):
                    written.append("")
                    above.pop(at + beside, None)
                    if further > 0:
                        reaching[at + beside] = ("", further)
            if further > 0:
                reaching[at] = (words, further)
        while written and not written[-1]:
            written.pop()
        if written:
            rows.append(written)
    width = max(map(len, rows), default=0)
    return [row + [""] * (width - len(row)) for row in rows]


def _span(cell: Any, name: str) -> int:
    given = str(cell.attributes.get(name) or "1").strip()
    return min(int(given), _WIDEST) if given.isascii() and given.isdigit() else 1


def cells_of(table: Any) -> list[Any]:
    """The cells of a table itself, not those of tables inside of it."""
    found = []
    for cell in table.css("th, td"):
        above = cell.parent
        while above is not None and above.tag != "table":
            above = above.parent
        if above is not None and above.mem_id == table.mem_id:
            found.append(cell)
    return found
