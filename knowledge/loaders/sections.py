"""Headings found in a text, turned into nested sections."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from knowledge.model import Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """A heading at the offset `start` of a text; level 1 is the top."""

    level: int
    title: str
    start: int


def sections_of(headings: Sequence[Heading], *, begin: int, end: int) -> tuple[Section, ...]:
    """The sections between the offsets `begin` and `end`, in reading order; each ends where its level is reached again."""
    sections: list[Section] = []
    first = headings[0].start if headings else end
    if first > begin:
        sections.append(Section(heading_path=(), level=0, start=begin, end=first))
    path: list[Heading] = []
    for index, heading in enumerate(headings):
        path = [above for above in path if above.level < heading.level] + [heading]
        following = (later.start for later in headings[index + 1 :] if later.level <= heading.level)
        sections.append(
            Section(
                heading_path=tuple(above.title for above in path),
                level=heading.level,
                start=heading.start,
                end=next(following, end),
            )
        )
    return tuple(sections)


def title_of(name: str, headings: Sequence[Heading] = ()) -> str:
    """A lone top heading, else the first heading when it opens the text, else the file's name without its ending."""
    if headings:
        top = min(heading.level for heading in headings)
        if headings[0].level == top and headings[0].title:
            return headings[0].title
    path = PurePosixPath(name.replace("\\", "/"))
    return path.stem or path.name
