"""Reads files of many formats as text; each format is a `Loader` in a file of its own."""

from functools import cache

from devops_chatbot.errors import UnsupportedFile
from devops_chatbot.i18n import Reason
from knowledge.loaders.decode import PACKED, PDF, PICTURE, decode, looks_like
from knowledge.loaders.loader import Loader
from knowledge.model import ParsedDocument
from knowledge.registry import Registry, registry
from knowledge.text.formats import UNREADABLE, base_of, suffix_of

BUILT_IN = {
    "markdown": "knowledge.loaders.markdown:LOADER",
    "rst": "knowledge.loaders.rst:LOADER",
    "html": "knowledge.loaders.html:LOADER",
    "pdf": "knowledge.loaders.pdf:LOADER",
    "text": "knowledge.loaders.plain:TEXT_LOADER",
    "code": "knowledge.loaders.plain:CODE_LOADER",
}


@cache
def loaders() -> Registry[Loader]:
    """The loaders by name, looked for once in a process."""
    return registry("loader", BUILT_IN, check=_loader)


def loader_for(name: str) -> str | None:
    """The loader's name by the file's name; None when it tells nothing. The first one that wants a file gets it."""
    base, suffix = base_of(name), suffix_of(name)
    found = loaders().found
    whole = (known for known, loader in found.items() if base in loader.names)
    ending = (known for known, loader in found.items() if suffix in loader.suffixes)
    return next(whole, "code" if base.startswith("dockerfile.") else None) or next(ending, None)


def load(data: bytes, name: str) -> ParsedDocument:
    """A file's bytes as text. Raises `UnsupportedFile` with what is wrong and what to do."""
    if not data.strip(b"\0 \t\r\n"):
        raise UnsupportedFile("file.empty")
    known, content = loader_for(name), looks_like(data)
    suffix = suffix_of(name)
    found = loaders().found
    if content == PDF:
        return found["pdf"].load(data, name)
    if known == "pdf" and content is None:
        raise UnsupportedFile("file.not_pdf")
    if known is None and suffix in UNREADABLE:
        raise UnsupportedFile("file.not_read_yet", suffix=suffix, formats=UNREADABLE[suffix])
    if content is not None and not (known and known != "pdf" and found[known].binary):
        wrong = Reason("file.named_like", format=known, what=content) if known else Reason("file.is", what=content)
        raise UnsupportedFile("file.not_text", wrong=wrong, remedy=_remedy(content))
    if known in (None, "text", "markdown") and b"<" in data[:800] and _is_page(decode(data).text):
        known = "html"
    return found[known or "text"].load(data, name)


def _loader(thing: object) -> Loader:
    if not isinstance(thing, Loader):
        raise TypeError(f"expected a Loader, got {type(thing).__name__}")
    return thing


def _is_page(text: str) -> bool:
    return text[:200].lstrip("\ufeff \t\r\n").lower().startswith(("<!doctype html", "<html"))


def _remedy(content: Reason) -> Reason:
    if content in PACKED:
        return Reason("file.unpack")
    return Reason("file.add_its_text") if content == PICTURE else Reason("file.convert")
