"""PDF through PDFium: the text of each page, the outline as headings where there is one."""

import re
from itertools import pairwise

from devops_chatbot.errors import UnsupportedFile
from knowledge.loaders.sections import Heading, sections_of, title_of
from knowledge.model import ParsedDocument

MOST_PAGES = 20_000
MOST_CHARACTERS = 50_000_000
_HYPHEN = re.compile(r"(\w)[\u00ad\ufffe\x02]\s*\n\s*(\w)")


def load_pdf(data: bytes, name: str) -> ParsedDocument:
    """Pages joined by blank lines. Raises `UnsupportedFile` for a locked, broken or picture-only file."""
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise UnsupportedFile(
                "The PDF is protected by a password. Save it without one and add it again."
            ) from error
        raise UnsupportedFile(
            "The PDF is broken or cut off and cannot be opened. Export or download it again."
        ) from error
    try:
        if len(document) > MOST_PAGES:
            raise UnsupportedFile(f"The PDF has {len(document)} pages; at most {MOST_PAGES} can be read. Split it.")
        pages = [_page_text(document, index) for index in range(len(document))]
        starts, text = _joined(pages)
        if not text.strip():
            raise UnsupportedFile("The PDF has no text, only pictures. Run OCR on it and add the result.")
        headings = _outline(document, text, starts)
        title = str(document.get_metadata_dict().get("Title") or "").strip()
    except pypdfium2.PdfiumError as error:
        raise UnsupportedFile(f"The PDF is broken and cannot be read: {error}. Export it again.") from error
    finally:
        document.close()
    readable = len(title) > 3 and not title.lower().endswith((".doc", ".docx", ".tex", ".indd", ".dvi"))
    return ParsedDocument(
        text=text,
        title=title if readable else title_of(name),
        loader="pdf",
        sections=sections_of(headings, begin=0, end=len(text)),
        page_starts=tuple(starts),
    )


def _page_text(document: object, index: int) -> str:
    page = document[index]  # type: ignore[index] # pypdfium2 has no stubs
    try:
        textpage = page.get_textpage()
        try:
            raw = str(textpage.get_text_bounded())
        finally:
            textpage.close()
    finally:
        page.close()
    lines = (line.rstrip() for line in raw.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "").split("\n"))
    return _HYPHEN.sub(r"\1\2", "\n".join(lines)).strip()


def _joined(pages: list[str]) -> tuple[list[int], str]:
    starts, parts, length = [], [], 0
    for page in pages:
        starts.append(length)
        parts.append(page + "\n\n")
        length += len(page) + 2
        if length > MOST_CHARACTERS:
            raise UnsupportedFile(f"The PDF holds more than {MOST_CHARACTERS:,} characters of text. Split it.")
    return starts, "".join(parts)


def _outline(document: object, text: str, starts: list[int]) -> list[Heading]:
    """Bookmarks as headings, each at its title's place on its page, or at the page's top."""
    headings: list[Heading] = []
    for mark in document.get_toc(max_depth=6):  # type: ignore[attr-defined]
        title = " ".join(mark.get_title().split())
        target = mark.get_dest()
        page = target.get_index() if target is not None else None
        if not title or page is None or page >= len(starts):
            continue
        end = starts[page + 1] if page + 1 < len(starts) else len(text)
        found = re.search(r"\s+".join(map(re.escape, title.split())), text[starts[page] : end], re.I)
        headings.append(
            Heading(level=mark.level + 1, title=title, start=starts[page] + (found.start() if found else 0))
        )
    headings.sort(key=lambda heading: heading.start)
    return [one for one, after in pairwise([*headings, None]) if one and (after is None or after.start > one.start)]
