"""PDF through PDFium: the text of each page as Markdown, with headings, lists and code known by outline, font and place."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from devops_chatbot.errors import UnsupportedFile
from knowledge.loaders.loader import Loader
from knowledge.loaders.pdf_lines import Line, lines_of
from knowledge.loaders.sections import Heading, sections_of, title_of
from knowledge.model import Link, ParsedDocument

MOST_PAGES = 20_000
MOST_CHARACTERS = 50_000_000
_BULLET = re.compile(r"[•●▪‣◦■□○∙\uf0b7\uf0a7\uf0d8][ \t]*(?=\S)")
_NUMBER = re.compile(r"(?:page\s*|第\s*)?(?:\d{1,4}|[ivxlc]{1,6})(?:\s*(?:/|of)\s*\d{1,4}|\s*页)?$", re.I)
_RUNNING = 0.5
"""A line that stands at the edge of this share of the pages (with a number: of three pages) is no part of the text."""
_LARGER = 1.15
_LONGEST_HEADING = 150
_LEVELS = 4


def load_pdf(data: bytes, name: str) -> ParsedDocument:
    """Pages joined by blank lines. Raises `UnsupportedFile` for a locked, broken or picture-only file."""
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise UnsupportedFile("file.pdf_password") from error
        raise UnsupportedFile("file.pdf_broken") from error
    try:
        if len(document) > MOST_PAGES:
            raise UnsupportedFile("file.pdf_too_many_pages", pages=len(document), most=MOST_PAGES)
        pages = _without_edges(_pages(document))
        marks, declared = _outline(document), _declared(document)
    except pypdfium2.PdfiumError as error:
        raise UnsupportedFile("file.pdf_unreadable", error=error) from error
    finally:
        document.close()
    if not any(line.text for page in pages for line in page):
        raise UnsupportedFile("file.pdf_only_images")
    text, starts, headings = _written(_with_headings(pages, marks), marks)
    readable = len(declared) > 3 and not re.search(r"\.(?:docx?|tex|indd|dvi|xlsx?|pptx?)$|^untitled", declared, re.I)
    return ParsedDocument(
        text=text,
        title=declared if readable else headings[0].title if _is_title(headings) else title_of(name),
        loader="pdf",
        sections=sections_of(headings, begin=0, end=len(text)),
        page_starts=tuple(starts),
        links=tuple(
            Link(target=url, text="") for url in dict.fromkeys(re.findall(r"https?://[^\s<>()\"'\]]+[\w/]", text))
        ),
    )


def _is_title(headings: Sequence[Heading]) -> bool:
    """The first heading is the document's title when it stands alone on its level above the others."""
    return bool(headings) and all(one.level > headings[0].level for one in headings[1:])


def _pages(document: object) -> list[list[Line]]:
    pages, size = [], 0
    for index in range(len(document)):  # type: ignore[arg-type] # pypdfium2 has no stubs
        pages.append(lines_of(document, index))
        size += sum(len(line.text) + 1 for line in pages[-1])
        if size > MOST_CHARACTERS:
            raise UnsupportedFile("file.pdf_too_long", most=MOST_CHARACTERS)
    return pages


def _without_edges(pages: list[list[Line]]) -> list[list[Line]]:
    """Without page numbers and running heads and feet."""
    for place in (0, -1, -1):
        at_edge = [page[place] if page else None for page in pages]
        shapes = Counter(_shape(line.text) for line in at_edge if line)
        numbered = {_shape(line.text) for line in at_edge if line and len(_shape(line.text)) < len(line.text)}
        most = _RUNNING * len(pages)
        running = {shape for shape, count in shapes.items() if count >= (3 if shape in numbered else max(3, most))}
        for page, line in zip(pages, at_edge, strict=True):
            if (
                line
                and len(page) > 1
                and (_shape(line.text) in running or (len(pages) > 1 and _NUMBER.match(line.text)))
            ):
                del page[place]
    return pages


def _shape(text: str) -> str:
    """A line without the numbers at its ends."""
    return re.sub(r"^[\d\s|.-]+|[\d\s|-]+$", "", text).lower()


def _declared(document: object) -> str:
    """The title in the file's properties."""
    try:
        title = str(document.get_metadata_value("Title") or "")  # type: ignore[attr-defined]
    except (RuntimeError, ValueError, LookupError):
        return ""  # broken properties are no reason to refuse the text
    return _seen(title)


def _seen(title: str) -> str:
    """A title without the control characters that some writers leave in it, such as a zero at its end."""
    return " ".join(re.sub(r"[\x00-\x1f\x7f\ufffe\uffff]", " ", title).split())


def _outline(document: object) -> dict[int, list[tuple[int, str]]]:
    """(level, title) of the bookmarks of each page, as far as they can be read."""
    marks: dict[int, list[tuple[int, str]]] = {}
    try:
        for mark in document.get_toc(max_depth=6):  # type: ignore[attr-defined]
            title = _seen(mark.get_title())
            target = mark.get_dest()
            page = target.get_index() if target is not None else None
            if title and page is not None:
                marks.setdefault(page, []).append((mark.level + 1, title))
    except (RuntimeError, ValueError, LookupError):
        return marks
    return marks


def _with_headings(pages: list[list[Line]], marks: dict[int, list[tuple[int, str]]]) -> list[list[Line]]:
    """Lines that are headings get their level: from the outline, else by the size of their font."""
    if marks:
        return [_marked(page, marks.get(number, [])) for number, page in enumerate(pages)]
    sizes = Counter[float]()
    for page in pages:
        for line in page:
            sizes[line.size] += len(line.text)
    body = sizes.most_common(1)[0][0] if sizes else 0.0
    larger = sorted({line.size for page in pages for line in page if _may_head(line, body)}, reverse=True)
    levels = {size: min(rank, _LEVELS) for rank, size in enumerate(larger, 1)}
    return [
        _joined([replace(line, level=levels[line.size]) if _may_head(line, body) else line for line in page])
        for page in pages
    ]


def _may_head(line: Line, body: float) -> bool:
    return (
        0 < body * _LARGER <= line.size
        and not line.code
        and len(line.text) <= _LONGEST_HEADING
        and re.search(r"[^\W\d_]{2}|[\u3400-\u9fff]", line.text) is not None
        and not line.text.rstrip().endswith((".", "。", ",", ";"))
    )


def _marked(page: list[Line], marks: list[tuple[int, str]]) -> list[Line]:
    found = list(page)
    for level, title in marks:
        wanted = _words(title)
        for index, line in enumerate(found):
            words = _words(line.text)
            numbered = words.endswith(wanted) and re.fullmatch(r"[\d.\sa-z]{0,12}", words[: len(words) - len(wanted)])
            if not line.level and (words == wanted or numbered):
                found[index] = replace(line, level=level)
                break
    return found


def _words(text: str) -> str:
    return re.sub(r"\W+", " ", text).strip().lower()


def _joined(page: list[Line]) -> list[Line]:
    """A heading over several lines as one."""
    found: list[Line] = []
    for line in page:
        if found and line.level and found[-1].level == line.level and not line.apart:
            found[-1] = replace(found[-1], text=f"{found[-1].text} {line.text}")
        else:
            found.append(line)
    return found


def _written(pages: list[list[Line]], marks: dict[int, list[tuple[int, str]]]) -> tuple[str, list[int], list[Heading]]:
    """The text, where each page begins, and the headings; a bookmark whose words are not on its page begins at the page's top."""
    parts: list[str] = []
    starts: list[int] = []
    headings: list[Heading] = []
    length = 0
    for number, page in enumerate(pages):
        starts.append(length)
        there = {_words(line.text) for line in page if line.level}
        for level, title in marks.get(number, []):
            if not any(words.endswith(_words(title)) for words in there):
                headings.append(Heading(level=level, title=title, start=length))
        fenced = False
        for before, line in pairwise([None, *page]):
            assert line is not None  # noqa: S101 only the first is None
            gap = "\n" if before else ""
            if line.code != fenced:
                gap, fenced = (f"{gap}\n```\n", True) if line.code else ("\n```\n\n", False)
            elif line.level or (before and before.level) or (line.apart and not fenced):
                gap = "\n\n" if before else ""
            words = (
                line.text
                if fenced
                else _BULLET.sub("- ", line.text, count=1)
                if _BULLET.match(line.text)
                else line.text
            )
            if line.level:
                headings.append(Heading(level=line.level, title=" ".join(words.split()), start=length + len(gap)))
                words = "#" * min(6, line.level) + " " + words
            parts.append(gap + words)
            length += len(gap) + len(words)
        ending = "\n```\n\n" if fenced else "\n\n"
        parts.append(ending)
        length += len(ending)
    headings.sort(key=lambda heading: heading.start)
    unique = [one for one, after in pairwise([*headings, None]) if one and (after is None or after.start > one.start)]
    return "".join(parts), starts, unique


LOADER = Loader(version=2, suffixes=frozenset({".pdf"}), load=load_pdf, binary=True)
