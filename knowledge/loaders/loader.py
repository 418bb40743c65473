"""What a loader is: one file a format, registered by its name."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from devops_chatbot.i18n import Reason
from knowledge.loaders.decode import decode
from knowledge.model import ParsedDocument
from knowledge.text.machine import shortened

KILOBYTE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Loader:
    """Reads files of one format: those with one of the endings `suffixes` or of the whole name `names` (lower case).

    `load` gets the bytes and the file's name; what it raises beside `UnsupportedFile` is that file's failure. Raise `version`
    when it gives another text, title, sections or links for the same file: the next sync then reads its documents anew, and
    only those. Bytes that look like another format (an archive, a picture) come only to a `binary` loader.
    """

    version: int
    suffixes: frozenset[str]
    load: Callable[[bytes, str], ParsedDocument]
    names: frozenset[str] = frozenset()
    binary: bool = False


def text_loader(
    load: Callable[[str, str], ParsedDocument], *, html: bool = False
) -> Callable[[bytes, str], ParsedDocument]:
    """`load`, which wants text, for bytes in whatever encoding they are; a page declares it where `html` is true."""

    def read(data: bytes, name: str) -> ParsedDocument:
        decoded = decode(data, html=html)
        text, removed = (decoded.text, 0) if html else shortened(decoded.text)
        parsed = load(text, name)
        notes = [*parsed.notes]
        if decoded.replaced:
            notes.append(Reason("left_out.bytes", count=decoded.replaced))
        if removed >= KILOBYTE:
            notes.append(Reason("left_out.machine", kb=round(removed / KILOBYTE)))
        return replace(parsed, notes=tuple(notes)) if len(notes) > len(parsed.notes) else parsed

    return read
