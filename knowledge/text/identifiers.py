"""Names that only machines use, and the words inside of them."""

import re

FEWEST = 3
"""Names of fewer humps stay as they are for an embedding model: it has seen `DynamoDB` and `SageMaker`."""

_NAME = re.compile(r"(?<![A-Za-z0-9])[A-Za-z][A-Za-z0-9]{5,79}(?![A-Za-z0-9])")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def humps(name: str) -> list[str]:
    """The pieces of a name in camelCase, digits with the letters before them: `K8s`, `Pod` of `K8sPod`."""
    return _HUMP.split(name)


def parts(name: str) -> list[str]:
    """The humps of a name in ASCII, with its digits apart: `K`, `8`, `s`, `Pod` of `K8sPod`."""
    return _PART.findall(name)


def in_words(text: str) -> str:
    """The text with every camelCase name of at least `FEWEST` humps taken apart by spaces.

    A language model reads `Kube Pod Crash Looping`, but its tokenizer cuts `KubePodCrashLooping` into pieces that mean
    nothing. On alert names this lifts the vectors' nDCG@10 from 81 to 93 (benchmarks/retrieval.py), as titles and queries
    are both written so; done to one side alone it costs.
    """
    return _NAME.sub(lambda name: " ".join(found) if len(found := humps(name[0])) >= FEWEST else name[0], text)
