"""Reads files of many formats as text: Markdown, reStructuredText, text, HTML, PDF and source code."""

from collections.abc import Callable
from pathlib import PurePosixPath

from devops_chatbot.errors import UnsupportedFile
from knowledge.loaders.decode import decode, looks_like
from knowledge.loaders.markdown import load_markdown
from knowledge.loaders.plain import CODE, NAMED_CODE, load_code, load_text
from knowledge.loaders.structured import load_rst
from knowledge.model import ParsedDocument

MARKDOWN = frozenset({".md", ".markdown", ".mdown", ".mkd", ".mdx"})
RST = frozenset({".rst", ".rest"})
HTML = frozenset({".html", ".htm", ".xhtml"})
TEXT = frozenset(
    ".txt .text .log .conf .cfg .ini .toml .yaml .yml .json .jsonl .ndjson .csv .tsv .properties .env .service .rules "
    ".adoc .asciidoc .org .tex .diff .patch .xml".split()
)
NAMED_TEXT = frozenset({"readme", "license", "licence", "notice", "changelog", "authors", "contributing", "todo"})


def loader_for(name: str) -> str | None:
    """The loader's name by the file's name: `markdown`, `rst`, `html`, `pdf`, `code`, `text`; None when it tells nothing."""
    path = PurePosixPath(name.replace("\\", "/").lower())
    suffix, stem = path.suffix, path.name
    for loader, suffixes in (("markdown", MARKDOWN), ("rst", RST), ("html", HTML), ("pdf", {".pdf"}), ("text", TEXT)):
        if suffix in suffixes:
            return loader
    if suffix in CODE or stem in NAMED_CODE:
        return "code"
    return "text" if stem in NAMED_TEXT else None


def load(data: bytes, name: str) -> ParsedDocument:
    """A file's bytes as text. Raises `UnsupportedFile` with what is wrong and what to do."""
    if not data.strip(b"\0 \t\r\n"):
        raise UnsupportedFile("The file is empty.")
    loader = loader_for(name)
    content = looks_like(data)
    if content is not None and content != loader:
        if content == "pdf":
            loader = "pdf"
        else:
            wrong = f"is named like a {loader} file but its content is {content}" if loader else f"is {content}"
            raise UnsupportedFile(
                f"The file {wrong}, which cannot be read as text. Convert it to text, HTML or PDF first."
            )
    if loader == "pdf":
        if content != "pdf":
            raise UnsupportedFile("The file is named .pdf but does not begin like one. Export it again as PDF.")
        from knowledge.loaders.pdf import load_pdf

        return load_pdf(data, name)
    text = decode(data)
    if loader == "html" or (loader is None and text.lstrip()[:15].lower().startswith(("<!doctype html", "<html"))):
        from knowledge.loaders.html import load_html

        return load_html(text, name)
    readers: dict[str | None, Callable[[str, str], ParsedDocument]] = {
        "markdown": load_markdown,
        "rst": load_rst,
        "code": load_code,
    }
    return readers.get(loader, load_text)(text, name)
