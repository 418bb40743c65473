"""Reads files of many formats as text: Markdown, reStructuredText, text, HTML, PDF and source code."""

from collections.abc import Callable
from pathlib import PurePosixPath

from devops_chatbot.errors import UnsupportedFile
from devops_chatbot.i18n import Reason
from knowledge.loaders.decode import PACKED, PDF, PICTURE, decode, looks_like
from knowledge.loaders.plain import CODE, LINES, NAMED_CODE, load_code, load_text
from knowledge.model import ParsedDocument

VERSIONS = {"markdown": 2, "rst": 2, "html": 2, "pdf": 2, "code": 2, "text": 2}
"""Raise a loader's number when it gives another text, title, sections or links for the same file: the next sync then reads its
documents anew, and only those.
"""
MARKDOWN = frozenset({".md", ".markdown", ".mdown", ".mkd", ".mdx", ".qmd", ".rmd"})
RST = frozenset({".rst", ".rest"})
HTML = frozenset({".html", ".htm", ".xhtml"})
TEXT = frozenset({".txt", ".text", ".adoc", ".asciidoc", ".org", ".tex", ".srt", ".wiki", *LINES})
NAMED_TEXT = frozenset(
    "readme license licence notice changelog authors contributing todo copying install news codeowners".split()
)
_UNREADABLE = {
    ".ipynb": ("Markdown", "HTML"),
    ".rtf": ("PDF", "HTML"),
    ".doc": ("PDF",),
    ".docx": ("PDF", "Markdown"),
    ".pptx": ("PDF",),
    ".xlsx": ("CSV",),
    ".odt": ("PDF", "HTML"),
    ".epub": ("HTML", "PDF"),
}
"""Formats that would come out as markup or not at all, and those that they can be saved as."""


def loader_for(name: str) -> str | None:
    """The loader's name by the file's name: `markdown`, `rst`, `html`, `pdf`, `code`, `text`; None when it tells nothing."""
    path = PurePosixPath(name.replace("\\", "/").lower())
    suffix, base = path.suffix, path.name
    if base in NAMED_CODE or base.startswith("dockerfile."):
        return "code"
    for loader, suffixes in (("markdown", MARKDOWN), ("rst", RST), ("html", HTML), ("pdf", {".pdf"}), ("text", TEXT)):
        if suffix in suffixes:
            return loader
    if suffix in CODE:
        return "code"
    return "text" if base in NAMED_TEXT else None


def load(data: bytes, name: str) -> ParsedDocument:
    """A file's bytes as text. Raises `UnsupportedFile` with what is wrong and what to do."""
    if not data.strip(b"\0 \t\r\n"):
        raise UnsupportedFile("file.empty")
    loader, content = loader_for(name), looks_like(data)
    suffix = PurePosixPath(name.lower()).suffix
    if suffix in _UNREADABLE and content != PDF:
        raise UnsupportedFile("file.not_read_yet", suffix=suffix, formats=_UNREADABLE[suffix])
    if content == PDF:
        from knowledge.loaders.pdf import load_pdf

        return load_pdf(data, name)
    if content is not None:
        wrong = Reason("file.named_like", format=loader, what=content) if loader else Reason("file.is", what=content)
        raise UnsupportedFile("file.not_text", wrong=wrong, remedy=_remedy(content))
    if loader == "pdf":
        raise UnsupportedFile("file.not_pdf")
    text = decode(data, html=loader == "html")
    if loader == "html" or (loader in (None, "text", "markdown") and _is_page(text)):
        from knowledge.loaders.html import load_html

        return load_html(text, name)
    return _reader(loader)(text, name)


def _reader(loader: str | None) -> Callable[[str, str], ParsedDocument]:
    if loader == "markdown":
        from knowledge.loaders.markdown import load_markdown

        return load_markdown
    if loader == "rst":
        from knowledge.loaders.rst import load_rst

        return load_rst
    return load_code if loader == "code" else load_text


def _is_page(text: str) -> bool:
    return text[:200].lstrip("\ufeff \t\r\n").lower().startswith(("<!doctype html", "<html"))


def _remedy(content: Reason) -> Reason:
    if content in PACKED:
        return Reason("file.unpack")
    return Reason("file.add_its_text") if content == PICTURE else Reason("file.convert")
