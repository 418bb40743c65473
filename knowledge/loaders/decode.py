"""Bytes to text, and what bytes that are no text look like."""

import codecs
import re
from dataclasses import dataclass

from devops_chatbot.errors import UnsupportedFile
from devops_chatbot.i18n import Reason
from knowledge.text.normal import normalised

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
_BROKEN = 0.01
"""Share of a text with a byte order mark that may be broken, as where the file was cut."""
_DECLARED = re.compile(rb"""<meta[^>]{0,200}charset\s*=\s*["']?\s*([\w-]{2,30})""", re.I)
_HIGH = re.compile(rb"[\x80-\xff]")
_ACCENTED = re.compile(
    rb"(?<=[A-Za-z])[\xc0-\xff](?=[A-Za-z])|(?<=[A-Za-z])[\xc0-\xff]\b|(?<![\x80-\xff])[\xc0-\xff](?=[a-z])"
)
"""A letter with a mark among plain Latin ones."""
_MOSTLY = 0.6
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
    if data[257:262] == b"ustar":
        return _ARCHIVE
    # a PDF may have up to a kilobyte of anything in front (PDF 1.7, appendix H)
    return PDF if b"\n%PDF-" in data[:1024] else None


@dataclass(frozen=True, slots=True)
class Decoded:
    """A file's text, with `\\n` line ends, and how many of its bytes or pairs of bytes were no text and became `U+FFFD`."""

    text: str
    replaced: int = 0


def decode(data: bytes, *, html: bool = False) -> Decoded:
    """The text in `data`, without colours of a terminal and without what nobody sees.

    By its byte order mark, else as UTF-8, else as an HTML page declares, else by the likeliest encoding of those lines that are
    no UTF-8: a byte that is wrong costs one character. Raises `UnsupportedFile` for bytes that are no text.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _marked(data, encoding)
    if b"\0" in data:
        if wide := _without_mark(data):
            return _clean(wide)
        data = data.replace(b"\0", b"")  # a log that was cut short while it was written has holes
    try:
        return _clean(data.decode("utf-8"))
    except UnicodeDecodeError:
        declared = _declared(data) if html else None
    if declared:
        return _clean(data.decode(declared, "replace"), replaced=True)
    lines = data.split(b"\n")
    wrong = [number for number, line in enumerate(lines) if not _is_utf8(line)]
    foreign = [number for number in wrong if not _is_damaged(lines[number])]
    text = b"\n".join(lines[number] for number in foreign)
    if foreign and (len(foreign) == len(wrong) or not _is_damaged(text)):
        encoding = _guess(text[:_SAMPLE])
        for number in foreign:
            lines[number] = lines[number].decode(encoding, "replace").encode()
    return _clean(b"\n".join(lines).decode("utf-8", "replace"), replaced=True)


def _marked(data: bytes, encoding: str) -> Decoded:
    try:
        return _clean(data.decode(encoding))
    except UnicodeDecodeError as error:
        text = data.decode(encoding, "replace")
        if text.count("\ufffd") > max(1, _BROKEN * len(text)):
            name = encoding.removesuffix("-sig").upper()
            raise UnsupportedFile("file.broken_encoding", encoding=name, position=error.start) from error
        return _clean(text, replaced=True)


def _declared(data: bytes) -> str | None:
    """The encoding that an HTML page declares, as browsers understand it; None for none that there is."""
    found = _DECLARED.search(data[:2048])
    try:
        return codecs.lookup(_SMART.get(name := found[1].decode("ascii").lower(), name)).name if found else None
    except LookupError:
        return None


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _is_damaged(line: bytes) -> bool:
    """Whether a line is UTF-8 with a few wrong bytes, as where a file was cut inside of a character, and no other encoding."""
    text = line.decode("utf-8", "replace")
    wrong = text.count("\ufffd")
    return sum(not character.isascii() for character in text) - wrong > 2 * wrong


def _without_mark(data: bytes) -> str | None:
    """UTF-16 without its mark, as programs on Windows write it: every other byte of Latin text is zero."""
    sample = data[:_SAMPLE]
    half = len(sample) // 2
    if len(sample) > 8:
        for offset, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
            zeros, others = sample[offset::2].count(0), sample[1 - offset :: 2].count(0)
            if zeros > 0.4 * half and others == 0:
                return data[: len(data) // 2 * 2].decode(encoding, "replace")
    return None


def _guess(sample: bytes) -> str:
    """The likeliest encoding of lines that are not UTF-8."""
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
    high = len(_HIGH.findall(sample))
    if len(_ACCENTED.findall(sample)) >= _MOSTLY * high:
        return _guess_western(sample)
    from charset_normalizer import from_bytes

    found = from_bytes(sample, cp_isolation=_CANDIDATES)
    best = found.best()
    western = next((one for one in found if "cp1252" in (one.encoding, *one.could_be_from_charset)), None)
    if best is None or (western is not None and western.chaos <= best.chaos):
        return "cp1252"
    return best.encoding


def _guess_western(sample: bytes) -> str:
    """The encoding of Latin letters with marks: that of Western Europe unless the other one makes more sense."""
    from charset_normalizer import from_bytes

    best = from_bytes(sample, cp_isolation=["cp1252", "cp1250"]).best()
    return best.encoding if best is not None and len(_HIGH.findall(sample)) >= _ENOUGH else "cp1252"


def _is_korean(chinese: str) -> bool:
    """True where what reads as everyday Chinese has the bytes of Korean syllables."""
    leads = [c.encode("gb18030")[0] for c in chinese if "\u4e00" <= c <= "\u9fff"]
    return len(leads) >= _ENOUGH and sum(lead in _SYLLABLES for lead in leads) >= _KOREAN * len(leads)


def _clean(text: str, *, replaced: bool = False) -> Decoded:
    head = text[:_SAMPLE]
    if len(_CONTROL.findall(head)) > _CONTROL_SHARE * len(head):
        raise UnsupportedFile("file.binary")
    if "\x1b" in text:
        text = _COLOUR.sub("", text)
    text = normalised(text.replace("\r\n", "\n").replace("\r", "\n"))
    return Decoded(text, text.count("\ufffd") if replaced else 0)
