"""PDF through PDFium: the text of each page as Markdown, with headings, lists and code known by outline, font and place."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from devops_chatbot.errors import UnsupportedFile
from devops_chatbot.i18n import Reason
from knowledge.loaders.loader import Loader
from knowledge.loaders.pdf_lines import SOMETHING, Line, PageText, page_of
from knowledge.loaders.sections import Heading, sections_of, title_of
from knowledge.model import Link, ParsedDocument
from knowledge.text.formats import PDF

MOST_PAGES = 20_000
MOST_CHARACTERS = 50_000_000
_BULLET = re.compile(r"[•●▪‣◦■□○∙\uf0b7\uf0a7\uf0d8][ \t]*(?=\S)")
_NUMBER = re.compile(
    r"(?:page|seite|p\.|第|[-–—|])?\s*(?P<number>\d{1,4}|[ivxlc]{1,7})\s*(?:(?:/|of|von)\s*\d{1,4}|页|[-–—|])?(?:\s*[/，,]?\s*共\s*\d{1,4}\s*页)?$",
    re.I,
)
"""What stands for the number of a page; it is one when it counts up with the pages."""
_ROMAN = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}
_RUNNING = 0.5
"""A line that stands with the same words at the edge of this share of the pages (three at least) is no part of the text."""
_SAME_HEIGHT = 4.0
"""Points by which the place of such lines may differ."""
_OUTERMOST = 3
"""Lines that are looked at from each edge."""
_LARGER = 1.15
_SCANNED = 0.5
"""A picture that covers this share of a page with next to no text is a scan."""
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
        found = _pages(document)
        pages, running = _without_edges([page.lines for page in found])
        marks, declared = _outline(document), _declared(document)
    except pypdfium2.PdfiumError as error:
        raise UnsupportedFile("file.pdf_unreadable", error=error) from error
    finally:
        document.close()
    if not any(line.text for page in pages for line in page):
        raise UnsupportedFile("file.pdf_only_images")
    text, starts, headings = _written(_with_headings(pages, marks), marks)
    empty = [number for number, page in enumerate(found, 1) if page.pictured > (_SCANNED if page.lines else SOMETHING)]
    notes = []
    if empty:
        notes.append(Reason("left_out.pages", count=len(empty), pages=len(found), numbers=_ranges(empty)))
    if running:
        notes.append(Reason("left_out.running", count=len(running), example=running[0]))
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
        notes=tuple(notes),
    )


def _is_title(headings: Sequence[Heading]) -> bool:
    """The first heading is the document's title when it stands alone on its level above the others."""
    return bool(headings) and all(one.level > headings[0].level for one in headings[1:])


def _ranges(numbers: Sequence[int]) -> str:
    """`2–4, 7` for the numbers of pages."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1] = [runs[-1][0], number]
        else:
            runs.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in runs)


def _pages(document: object) -> list[PageText]:
    pages, size = [], 0
    for index in range(len(document)):  # type: ignore[arg-type] # pypdfium2 has no stubs
        pages.append(page_of(document, index))
        size += sum(len(line.text) + 1 for line in pages[-1].lines)
        if size > MOST_CHARACTERS:
            raise UnsupportedFile("file.pdf_too_long", most=MOST_CHARACTERS)
    return pages


def _without_edges(pages: list[list[Line]]) -> tuple[list[list[Line]], list[str]]:
    """Pages without their numbers and without what stands at the edge of most of them; the words of what was left out."""
    for place in (0, -1):
        _drop_numbers(pages, place)
    said: list[str] = []
    for _ in range(_OUTERMOST):
        dropped = [line for place in (0, -1) for line in _drop_running(pages, place)]
        if not dropped:
            break
        said += [line.text for line in dropped]
        for place in (0, -1):
            _drop_numbers(pages, place)
    return pages, said


def _drop_numbers(pages: list[list[Line]], place: int) -> None:
    """Leave out lines, and parts of lines, at an edge that count up with the pages."""
    counted = [(number, _page_number(page[place])) for number, page in enumerate(pages) if len(page) > 1]
    offsets = Counter(value - number for number, value in counted if value is not None)
    if not offsets or (common := offsets.most_common(1)[0])[1] < max(2, _RUNNING * len(counted)):
        return
    for number, value in counted:
        if value is None or value - number != common[0]:
            continue
        line = pages[number][place]
        rest = [part for part in (line.parts or (line.text,)) if _number_in(part) is None]
        if rest:
            pages[number][place] = replace(line, text="   ".join(rest), parts=tuple(rest))
        else:
            del pages[number][place]


def _page_number(line: Line) -> int | None:
    """The number that stands alone in a line, or alone in one of its parts."""
    found = [number for part in (line.parts or (line.text,)) if (number := _number_in(part)) is not None]
    return found[0] if len(found) == 1 else None


def _number_in(words: str) -> int | None:
    match = _NUMBER.match(words.strip())
    if match is None:
        return None
    number = match["number"].lower()
    if number.isdigit():
        return int(number)
    values = [_ROMAN[letter] for letter in number]
    return sum(-value if value < max(values[at:]) else value for at, value in enumerate(values))


def _drop_running(pages: list[list[Line]], place: int) -> list[Line]:
    """Leave out lines at an edge that say the same, in type no larger than the text's, at the same height of most pages."""
    at_edge = [page[place] for page in pages if len(page) > 1]
    sizes = Counter(line.size for page in pages for line in page[1:-1])
    body = sizes.most_common(1)[0][0] if sizes else 0.0
    same: dict[str, list[Line]] = {}
    for line in at_edge:
        same.setdefault(line.text, []).append(line)
    running = {
        words
        for words, lines in same.items()
        if len(lines) >= max(3, _RUNNING * len(pages))
        and all(abs(line.height - lines[0].height) <= _SAME_HEIGHT for line in lines)
        and (not body or lines[0].size < body * _LARGER)
    }
    return [page.pop(place) for page in pages if len(page) > 1 and page[place].text in running]


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


LOADER = Loader(version=3, suffixes=PDF, load=load_pdf, binary=True)
