"""Headings found in a text, turned into nested sections."""

from collections.abc import Sequence
from pathlib import PurePosixPath

from knowledge.model import Section
from knowledge.text.markdown import Heading

__all__ = ["Heading", "sections_of", "title_of"]


def sections_of(headings: Sequence[Heading], *, begin: int, end: int) -> tuple[Section, ...]:
    """The sections between the offsets `begin` and `end`, in reading order; each ends where its level is reached again."""
    ends = [end] * len(headings)
    open_ones: list[int] = []
    for index, heading in enumerate(headings):
        while open_ones and headings[open_ones[-1]].level >= heading.level:
            ends[open_ones.pop()] = heading.start
        open_ones.append(index)
    sections: list[Section] = []
    first = headings[0].start if headings else end
    if first > begin:
        sections.append(Section(heading_path=(), level=0, start=begin, end=first))
    path: list[Heading] = []
    for heading, stop in zip(headings, ends, strict=True):
        while path and path[-1].level >= heading.level:
            path.pop()
        path.append(heading)
        titles = tuple(above.title for above in path)
        sections.append(Section(heading_path=titles, level=heading.level, start=heading.start, end=stop))
    return tuple(sections)


def title_of(name: str, headings: Sequence[Heading] = (), declared: str = "") -> str:
    """The heading that stands over all others, else the title that the file declares, else the file's name without its ending.

    With several headings of the top level the first is the title when it opens the text and the file declares none.
    """
    if headings:
        top = min(heading.level for heading in headings)
        first = headings[0]
        alone = sum(heading.level == top for heading in headings) == 1
        if first.level == top and (top == 1 or (alone and not declared)):
            return first.title
    path = PurePosixPath(name.replace("\\", "/"))
    return declared or path.stem or path.name
