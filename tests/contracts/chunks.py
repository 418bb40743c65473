"""Chunks and vectors for the tests of stores."""

import math
import random

from knowledge.model import Chunk, Version, chunk_id

VERSION = "0" * 32


def chunk(number: int, text: str = "Restart the pod.", *, title: str = "", heading_path: tuple[str, ...] = ()) -> Chunk:
    """The only chunk of the document `d<number>`."""
    document = f"d{number:016x}"
    return Chunk(
        id=chunk_id(document, VERSION, 0),
        collection="kbase1",
        document=document,
        version=VERSION,
        ordinal=0,
        text=text,
        title=title,
        heading_path=heading_path,
        start=0,
        end=len(text),
        section_start=0,
        section_end=len(text),
    )


def version(number: int, *, collection: str = "kbase1") -> Version:
    """The version of the document `d<number>`, with its only chunk."""
    return Version(collection=collection, document=f"d{number:016x}", version=VERSION, chunks=1)


def unit_vectors(count: int, dimension: int) -> list[list[float]]:
    """Vectors of unit length around a few centres, as texts on a few topics have them; the same every time."""
    chance = random.Random(count * dimension)  # noqa: S311
    centres = [[chance.gauss(0, 1) for _ in range(dimension)] for _ in range(8)]
    return [_unit([value + chance.gauss(0, 0.4) for value in chance.choice(centres)]) for _ in range(count)]


def _unit(vector: list[float]) -> list[float]:
    length = math.sqrt(sum(value * value for value in vector))
    return [value / length for value in vector]
