"""What stands above or below the line, written on it."""

import re

_ELEMENT = re.compile(r"(?:^|[^A-Za-z])(?:[A-Z][a-z]?\d*)*[A-Z][a-z]?$")
"""The end of a chemical formula."""


def raised(words: str) -> str:
    """What stands above the line: `2^32`; as it is where no number is meant (`5th`, `®`, the mark of a note)."""
    words = " ".join(words.split())
    if not words or words.isalpha() or words[0] in "[(*†‡™®©":
        return words
    return f"^{words}" if re.fullmatch(r"[-+−]?\w+", words) else f"^({words})"


def lowered(words: str, before: str) -> str:
    """What stands below the line behind `before`: `CO2`, but `log_2` and `x_i`, which would read as another number or word."""
    words = " ".join(words.split())
    return words if not words or (words.isdigit() and _ELEMENT.search(before)) else f"_{words}"
