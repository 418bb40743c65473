"""What a person gives to a command as text, on the command line or on standard input."""

import io
import sys


def given_text(argument: str) -> str:
    """The argument, or standard input where it is `-`. Bytes that are no UTF-8, as logs have them, become �."""
    if argument != "-":
        return argument.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="replace")
    return sys.stdin.read()
