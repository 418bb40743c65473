"""Bytes to text, and what bytes that are no text look like."""

import codecs

from devops_chatbot.errors import UnsupportedFile

_MAGIC = (
    (b"%PDF-", "pdf"),
    (b"PK\x03\x04", "a zip archive or an Office document"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document"),
    (b"\x1f\x8b", "gzip-compressed"),
    (b"BZh", "bzip2-compressed"),
    (b"\xfd7zXZ\x00", "xz-compressed"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"\x7fELF", "a program"),
    (b"SQLite format 3\x00", "a database"),
)
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE = 65536
_CONTROL_SHARE = 0.02
_BINARY = "The file is binary, not text. Convert it to text, HTML or PDF first."


def looks_like(data: bytes) -> str | None:
    """What the first bytes say the file is: `pdf`, words for another known binary format, or None."""
    for magic, what in _MAGIC:
        if data.startswith(magic):
            return what
    # a PDF may have up to a kilobyte of anything in front (PDF 1.7, appendix H)
    return "pdf" if b"%PDF-" in data[:1024] else None


def decode(data: bytes) -> str:
    """The text in `data` with `\\n` line ends: by its byte order mark, else UTF-8, else the likeliest encoding.

    Raises `UnsupportedFile` for bytes that are no text.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            try:
                return _lines(data.decode(encoding))
            except UnicodeDecodeError as error:
                raise UnsupportedFile(
                    f"The file begins like {encoding} but is broken at byte {error.start}."
                ) from error
    if b"\0" in data[:_SAMPLE]:
        raise UnsupportedFile(_BINARY)
    try:
        return _lines(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        if error.start >= len(data) - 3:  # cut inside the last character
            return _lines(data[: error.start].decode("utf-8"))
    from charset_normalizer import from_bytes

    best = from_bytes(
        data[:_SAMPLE], cp_isolation=["gb18030", "big5", "shift_jis", "euc_kr", "cp1252", "cp1251"]
    ).best()
    if best is None:
        raise UnsupportedFile(_BINARY)
    text = data.decode(best.encoding, errors="replace")
    control = sum(1 for c in text[:_SAMPLE] if c < " " and c not in "\t\n\r\f\x1b")
    if control > _CONTROL_SHARE * min(len(text), _SAMPLE):
        raise UnsupportedFile(_BINARY)
    return _lines(text)


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
