"""What only machines read, shortened: Base64, keys, hex dumps and minified code would be chunks that answer nothing."""

import re

KEPT = 48
"""Characters that stay of a run, enough to tell what it is and to find it by its beginning."""
_RUN = re.compile(r"[A-Za-z0-9+/_=-]{200,}|(?:%[0-9A-Fa-f]{2}|[A-Za-z0-9+/=_.~-]){600,}")
"""Longer than any name, hash or address; a SHA-512 has 128 digits."""
_LINES = re.compile(r"(?:^[ \t>*#|\"']{0,40}[A-Za-z0-9+/=]{60,120}(?:\\\\n)?[\"',]{0,3}[ \t]*\n){4,}", re.M)
"""A block of such lines, as of a certificate."""
_LONG_LINE = 2000
_LONG_LINE_KEPT = 500


def shortened(text: str) -> tuple[str, int]:
    """The text with as many lines, and how many characters are missing from it."""
    short = _LINES.sub(_first_line, text) if "\n" in text else text
    short = _RUN.sub(lambda found: f"{found[0][:KEPT]}…", short)
    return short, len(text) - len(short)


def without_minified(text: str) -> tuple[str, int]:
    """The same of source code: of a line that nobody wrote its beginning stays."""
    if len(text) <= _LONG_LINE or max(map(len, text.split("\n"))) <= _LONG_LINE:
        return text, 0
    lines = [f"{line[:_LONG_LINE_KEPT]}…" if len(line) > _LONG_LINE else line for line in text.split("\n")]
    short = "\n".join(lines)
    return short, len(text) - len(short)


def _first_line(found: re.Match[str]) -> str:
    """The first line of a block; a block of words, such as a list of long file names, stays whole."""
    lines = found[0].split("\n")
    if not all(any(c.isdigit() for c in line) and any(c.isupper() for c in line) for line in lines[:3]):
        return found[0]
    return f"{lines[0]}…" + "\n" * found[0].count("\n")
