"""What a question with a pasted log, stack trace or configuration is about: its own words, and the lines that report an error."""

import re
from collections import Counter

LONG, LONG_LINES = 1500, 8
"""Characters and lines from which a question is taken for one with something pasted."""
MOST_LINES, LONGEST_LINE, MOST_OWN_WORDS = 6, 240, 600
_STAMP = re.compile(
    r"^\W*(?:\d{4}[-/]\d\d[-/]\d\d|\d\d[-/]\w{3}[-/]\d{4}|[A-Z][a-z]{2} [ \d]\d)[T :]?"
    r"\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:Z| ?[+-]\d\d:?\d\d)?\W*"
    r"|^\W*\d\d:\d\d:\d\d(?:[.,]\d+)?\W*|^[IWEF]\d{4} \d\d:\d\d:\d\d\.\d+\s*"
)
"""When a line of a log was written, as ISO, syslog, access logs and klog say it."""
_LEVEL = re.compile(
    r"\b(?:TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|ERR|FATAL|CRIT(?:ICAL)?|SEVERE|EMERG|ALERT|PANIC)\b"
)
_FRAME = re.compile(r'^\s*(?:at [\w$.<>/]+\(|File "|\.\.\. \d+ more|goroutine \d+|#\d+ |from \S+:\d+:in )')
"""A place in a stack trace."""
_ERROR = re.compile(
    r"\b(?:ERROR|ERR|FATAL|CRIT(?:ICAL)?|SEVERE|EMERG|PANIC)\b|level=(?:error|fatal|critical|panic)|^E\d{4} |^Caused by:"
    r"|^[\w.$]*(?:Error|Exception)\b|\b(?:Exception in|panic:|fatal:|error:|OOMKilled|Out of memory|segfault|No space left)",
)
_NUMBERS = re.compile(r"0x[\da-fA-F]+|\b[\da-fA-F]{8}(?:-[\da-fA-F]{4}){3}-[\da-fA-F]{12}\b|\d+")


def essence(text: str) -> str:
    """The text itself where it is short; else the person's own words and the most telling lines of what was pasted.

    A line that reports an error tells most; without any, one whose like is rarest. Lines that differ in numbers alone count
    once; places in a stack trace and the moments of log lines are left out.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    if len(text) <= LONG and len(lines) < LONG_LINES:
        return text
    pasted = [_is_pasted(line) for line in lines]
    first = pasted.index(True) if True in pasted else 1
    last = len(lines) - pasted[::-1].index(True) if True in pasted else len(lines)
    own = " ".join((*lines[:first], *lines[last:]))[:MOST_OWN_WORDS]
    said = [_STAMP.sub("", line).strip() for line in lines[first:last] if not _FRAME.match(line)]
    alike = Counter(_NUMBERS.sub("0", line) for line in said)
    kinds = list({_NUMBERS.sub("0", line): line for line in reversed(said)}.values())[::-1]
    telling = [line for line in kinds if _ERROR.search(line)]
    if not telling:
        telling = sorted(kinds, key=lambda line: alike[_NUMBERS.sub("0", line)])
    return "\n".join((own, *(line[:LONGEST_LINE] for line in telling[:MOST_LINES]))).strip()


def _is_pasted(line: str) -> bool:
    return bool(_STAMP.match(line) or _LEVEL.search(line) or _FRAME.match(line) or _ERROR.search(line))
