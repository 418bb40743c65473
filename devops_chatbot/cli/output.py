"""How results and errors look in a terminal: results on standard output, everything else on standard error."""

import json
import os
import sys
from collections.abc import Sequence

from devops_chatbot.i18n import Language, Reason, language_of_locale
from devops_chatbot.values import to_json

Cell = str | int | float | None


def print_json(result: object) -> None:
    """One result as the route returned it."""
    print(to_json(result, indent=2).decode())


def print_json_rows(rows: Sequence[object], total: int | None = None) -> None:
    """Many results as the route returned them."""
    body = {"items": [json.loads(to_json(row)) for row in rows], "total": len(rows) if total is None else total}
    print(json.dumps(body, indent=2, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """A table as wide as the terminal; full width, so that nothing is lost, when the output is no terminal."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[index], int | float) for row in rows)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(shown(cell)) for cell in row))
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def shown(cell: Cell) -> str:
    if cell is None or cell == "":
        return "–"
    return f"{cell:.3f}" if isinstance(cell, float) else str(cell)


def note(text: str) -> None:
    """A word beside the result."""
    print(text, file=sys.stderr)


def language() -> Language:
    """The language of this terminal's locale."""
    return language_of_locale(os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG"))


def said(reason: Reason | None) -> str:
    """In this terminal's language; nothing where there is no reason."""
    return reason.text(language()) if reason else ""


def error(what: str | Reason) -> None:
    print(Reason("cli.error", what=what).text(language()), file=sys.stderr)
