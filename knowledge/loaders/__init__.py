"""Reads files of many formats as text: Markdown, reStructuredText, text, HTML, PDF and source code."""

from collections.abc import Callable
from pathlib import PurePosixPath

from devops_chatbot.errors import UnsupportedFile
from knowledge.loaders.decode import decode, looks_like
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
    ".ipynb": "a notebook; export it as Markdown or HTML",
    ".rtf": "a rich text document; save it as PDF or HTML",
    ".doc": "an old Office document; save it as PDF",
    ".docx": "an Office document; save it as PDF or Markdown",
    ".pptx": "an Office document; save it as PDF",
    ".xlsx": "an Office document; save its sheets as CSV",
    ".odt": "an Office document; save it as PDF or HTML",
    ".epub": "an e-book; convert it to HTML or PDF",
}
"""Formats that would come out as markup or not at all: (what it is; what to do)."""


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
        raise UnsupportedFile("The file is empty.")
    loader, content = loader_for(name), looks_like(data)
    suffix = PurePosixPath(name.lower()).suffix
    if suffix in _UNREADABLE and content != "pdf":
        what, _, remedy = _UNREADABLE[suffix].partition("; ")
        raise UnsupportedFile(f"The file is {what}, which is not read yet: {remedy} and add the result.")
    if content == "pdf":
        from knowledge.loaders.pdf import load_pdf

        return load_pdf(data, name)
    if content is not None:
        wrong = f"is named like {_article(loader)} file but its content is {content}" if loader else f"is {content}"
        raise UnsupportedFile(f"The file {wrong}, which cannot be read as text. {_remedy(content)}")
    if loader == "pdf":
        raise UnsupportedFile(
            "The file is named .pdf but is none: perhaps a web page or an error message was saved in its place. Download or "
            "export it again."
        )
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


def _article(loader: str | None) -> str:
    return f"an {loader.upper()}" if loader == "html" else f"a {loader.upper() if loader in ('pdf', 'rst') else loader}"


def _remedy(content: str) -> str:
    if "archive" in content or "compressed" in content:
        return "Unpack it, or add it under a name that ends in .zip or .tar.gz."
    if content == "a picture":
        return "OCR is not available: add its text."
    return "Convert it to text, HTML or PDF first."
