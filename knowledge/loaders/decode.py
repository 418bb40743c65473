"""Bytes to text, and what bytes that are no text look like."""

import codecs
import re

from devops_chatbot.errors import UnsupportedFile
from devops_chatbot.i18n import Reason

PDF = Reason("content.pdf")
PICTURE = Reason("content.picture")
_VIDEO = Reason("content.video")
_PROGRAM = Reason("content.program")
_COMPRESSED = Reason("content.compressed")
_ARCHIVE = Reason("content.archive")
_ZIP = Reason("content.zip")
PACKED = (_COMPRESSED, _ARCHIVE, _ZIP)
_MAGIC = (
    (b"%PDF-", PDF),
    (b"PK\x03\x04", _ZIP),
    (b"PK\x05\x06", _ARCHIVE),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Reason("content.old_office")),
    (b"{\\rtf", Reason("content.rich_text")),
    (b"\x1f\x8b", _COMPRESSED),
    (b"BZh", _COMPRESSED),
    (b"\xfd7zXZ\x00", _COMPRESSED),
    (b"\x28\xb5\x2f\xfd", _COMPRESSED),
    (b"7z\xbc\xaf\x27\x1c", _ARCHIVE),
    (b"Rar!\x1a\x07", _ARCHIVE),
    (b"\x89PNG", PICTURE),
    (b"\xff\xd8\xff", PICTURE),
    (b"GIF8", PICTURE),
    (b"II*\0", PICTURE),
    (b"MM\0*", PICTURE),
    (b"\x7fELF", _PROGRAM),
    (b"MZ\x90\0", _PROGRAM),
    (b"\xca\xfe\xba\xbe", _PROGRAM),
    (b"SQLite format 3\x00", Reason("content.database")),
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
_STRAY_SHARE = 0.001
"""A UTF-8 text may hold this share of bytes that are none: a log with a broken line is still UTF-8."""
_DECLARED = re.compile(rb"""<meta[^>]{0,200}charset\s*=\s*["']?\s*([\w-]{2,30})""", re.I)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
_COLOUR = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|\][^\x07\x1b\n]{0,500}(?:\x07|\x1b\\)|[()][A-Z0-9])")
_SMART = {"gb2312": "gb18030", "gbk": "gb18030", "iso-8859-1": "cp1252", "latin-1": "cp1252", "ascii": "cp1252"}
"""What a name of an encoding means in practice (WHATWG Encoding Standard)."""
_SYLLABLES = range(0xB0, 0xC9)
"""Lead bytes of the Korean syllables in KS X 1001; half of the everyday Chinese characters of GB 2312 lie beyond."""
_KOREAN = 0.97
_ENOUGH = 8
"""Characters from which their lead bytes tell the two apart: eight Chinese ones all among the first half are one in 200."""
_CANDIDATES = ["gb18030", "big5", "shift_jis", "euc_jp", "euc_kr", "cp1252", "cp1250", "cp1251", "koi8_r"]


def looks_like(data: bytes) -> Reason | None:
    """What the first bytes say the file is: `PDF`, another known binary format, or None."""
    for magic, what in _MAGIC:
        if data.startswith(magic):
            return what
    if data[4:12] in (b"ftypheic", b"ftypavif", b"ftypmp42", b"ftypisom") or (
        data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    ):
        return PICTURE if data[4:8] != b"ftyp" or data[8:12] in (b"heic", b"avif") else _VIDEO
    # a PDF may have up to a kilobyte of anything in front (PDF 1.7, appendix H)
    return PDF if b"\n%PDF-" in data[:1024] else None


def decode(data: bytes, *, html: bool = False) -> str:
    """The text in `data` with `\\n` line ends and without colours of a terminal.

    By its byte order mark, else as UTF-8, else as an HTML page declares, else by the likeliest encoding. Raises
    `UnsupportedFile` for bytes that are no text.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            try:
                return _clean(data.decode(encoding))
            except UnicodeDecodeError as error:
                raise UnsupportedFile(
                    "file.broken_encoding", encoding=encoding.removesuffix("-sig").upper(), position=error.start
                ) from error
    sample = data[:_SAMPLE]
    if b"\0" in sample:
        return _clean(_without_mark(data, sample))
    try:
        return _clean(data.decode("utf-8"))
    except UnicodeDecodeError:
        text = data.decode("utf-8", "replace")
    if text.count("\ufffd") <= max(1, _STRAY_SHARE * len(text)) and not text.isascii() and len(text) > 200:
        return _clean(text)
    declared = _DECLARED.search(data[:2048]) if html else None
    if declared:
        try:
            name = declared[1].decode("ascii").lower()
            return _clean(data.decode(_SMART.get(name, name), "replace"))
        except LookupError:
            pass  # no such encoding: guess
    return _clean(data.decode(_guess(sample), "replace"))


def _without_mark(data: bytes, sample: bytes) -> str:
    """UTF-16 without its mark, as programs on Windows write it: every other byte of Latin text is zero."""
    half = len(sample) // 2
    if len(sample) > 8:
        for offset, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
            zeros, others = sample[offset::2].count(0), sample[1 - offset :: 2].count(0)
            if zeros > 0.4 * half and others == 0:
                return data[: len(data) // 2 * 2].decode(encoding, "replace")
    raise UnsupportedFile("file.binary")


def _guess(sample: bytes) -> str:
    """The likeliest encoding of text that is not UTF-8."""
    try:
        chinese = sample.decode("gb18030")
    except UnicodeDecodeError as error:
        chinese = sample[: error.start].decode("gb18030") if error.start >= len(sample) - 3 else ""
    wide = [c for c in chinese if c > "\x7f"]
    # the 3,755 everyday characters of GB 2312 (level 1) begin with bytes B0 to D7; other encodings rarely fall there
    everyday = sum(
        1 for c in wide if b"\xb0\xa1" <= c.encode("gb18030") <= b"\xd7\xfe" or c in "，。、；：？！“”（）《》—…·　"
    )
    if wide and everyday > 0.9 * len(wide):
        return "cp949" if _is_korean(chinese) else "gb18030"
    from charset_normalizer import from_bytes

    found = from_bytes(sample, cp_isolation=_CANDIDATES)
    best = found.best()
    western = next((one for one in found if "cp1252" in (one.encoding, *one.could_be_from_charset)), None)
    if best is None or (western is not None and western.chaos <= best.chaos):
        return "cp1252"
    return best.encoding


def _is_korean(chinese: str) -> bool:
    """True where what reads as everyday Chinese has the bytes of Korean syllables."""
    leads = [c.encode("gb18030")[0] for c in chinese if "\u4e00" <= c <= "\u9fff"]
    return len(leads) >= _ENOUGH and sum(lead in _SYLLABLES for lead in leads) >= _KOREAN * len(leads)


def _clean(text: str) -> str:
    head = text[:_SAMPLE]
    if len(_CONTROL.findall(head)) > _CONTROL_SHARE * len(head):
        raise UnsupportedFile("file.binary")
    if "\x1b" in text:
        text = _COLOUR.sub("", text)
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
