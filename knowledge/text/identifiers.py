"""Writes identifiers as words for an embedding model.

A language model reads `Kube Pod Crash Looping`, but its tokenizer cuts `KubePodCrashLooping` into pieces that mean
nothing. On alert names this lifts the vectors' nDCG@10 from 81 to 93 (benchmarks/retrieval.py), as titles and queries are
both written so; done to one side alone it costs.
"""

import re

FEWEST = 3
"""Names of fewer humps stay as they are: `DynamoDB` and `SageMaker` are words that models have seen."""

_NAME = re.compile(r"(?<![A-Za-z0-9])[A-Za-z][A-Za-z0-9]{5,79}(?![A-Za-z0-9])")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def in_words(text: str) -> str:
    """The text with every camelCase name of at least `FEWEST` humps taken apart by spaces."""
    return _NAME.sub(_apart, text)


def _apart(match: re.Match[str]) -> str:
    humps = _HUMP.split(match.group())
    return " ".join(humps) if len(humps) >= FEWEST else match.group()
