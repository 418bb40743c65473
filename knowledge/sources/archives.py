"""Unpacks zip and tar archives that nobody has checked: bounded, and never outside of the folder given."""

import bz2
import errno
import gzip
import lzma
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from devops_chatbot.errors import StoreUnavailable, TooLarge, UnsupportedFile
from devops_chatbot.i18n import Reason

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
MEGABYTE = 1024 * 1024
_BLOCK = 256 * 1024
_FREE = 10 * MEGABYTE
"""Below this unpacked size the ratio is not looked at: a small text file may well shrink 500 times."""
_LONGEST_PATH = 1000
_LARGEST_HEADER = MEGABYTE
"""A tar header with a long name or other extras; an honest one has a few hundred bytes."""
_TAIL = 22 + 65535
_END, _END64, _PLACE64, _ENTRY = (struct.pack("<I", sign) for sign in (0x06054B50, 0x06064B50, 0x07064B50, 0x02014B50))
"""Signatures of a zip's table of contents (APPNOTE.TXT 6.3.10, section 4.3)."""
_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    gzip.BadGzipFile,
    lzma.LZMAError,
    EOFError,
    ValueError,
    LookupError,
    NotImplementedError,  # a version of the format that nobody has written yet
    struct.error,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveLimits:
    """Bounds of one archive: unpacked megabytes in all and a file, number of files, unpacked over packed size."""

    total_mb: int
    files: int
    ratio: int
    file_mb: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A member that was not unpacked, and why."""

    name: str
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """How many files were written, and what was refused."""

    files: int
    refused: tuple[Refused, ...] = ()


def is_archive(name: str) -> bool:
    """By the file's name."""
    return name.lower().endswith(SUFFIXES)


def unpack(archive: Path, into: Path, limits: ArchiveLimits) -> Unpacked:
    """Write the archive's files below `into` (made when missing).

    A member that cannot be taken (a path that leaves the folder, a link, a device, encrypted, damaged, too large) is refused
    by itself. Raises `TooLarge` for too many files, too much in all or a bomb, and `UnsupportedFile` for what is no archive or
    is cut off before its table of contents; what was written until then is the caller's to remove.
    """
    into.mkdir(parents=True, exist_ok=True)
    work = _Work(archive, into.resolve(), limits)
    try:
        if archive.name.lower().endswith(".zip"):
            work.zip()
        else:
            work.tar()
    except _BROKEN as error:
        raise UnsupportedFile("archive.broken", name=archive.name, error=error) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreUnavailable("archive.disk_full", name=archive.name) from error
        if isinstance(error, PermissionError | FileNotFoundError):
            raise
        raise UnsupportedFile("archive.cannot_unpack", name=archive.name, error=error) from error
    return Unpacked(files=work.files, refused=tuple(work.refused))


class _Work:
    """One archive being unpacked."""

    def __init__(self, archive: Path, into: Path, limits: ArchiveLimits) -> None:
        self._archive = archive
        self._into = into
        self._limits = limits
        self._packed = max(1, archive.stat().st_size)
        self._written = 0
        self._members = 0
        self._oversize = Reason("archive.member_too_large", most_mb=limits.file_mb)
        self.files = 0
        self.refused: list[Refused] = []

    def zip(self) -> None:
        if _zip_entries(self._archive, self._limits.files) > self._limits.files:
            raise self._too_many()  # before the table of contents is taken into memory
        with zipfile.ZipFile(self._archive) as opened:
            for member in opened.infolist():
                if member.is_dir():
                    continue
                name = self._counted(_zip_name(member))
                if member.flag_bits & 1:
                    self._refuse(name, Reason("archive.password"))
                elif member.external_attr >> 28 not in (0, 8):
                    self._refuse(name, Reason("archive.link"))
                elif (target := self._target(name)) is not None:
                    try:
                        with opened.open(member) as content:
                            self._write(name, content, target)
                    except (zipfile.BadZipFile, zlib.error, EOFError, lzma.LZMAError) as error:
                        target.unlink(missing_ok=True)
                        self._refuse(name, Reason("archive.damaged", error=error))
                    except (RuntimeError, NotImplementedError) as error:
                        target.unlink(missing_ok=True)
                        self._refuse(name, Reason("archive.strange_packing", error=error))

    def tar(self) -> None:
        with (
            self._archive.open("rb") as raw,
            tarfile.open(fileobj=_decompressed(raw), mode="r|", tarinfo=_Member) as opened,
        ):
            for member in self._bounded(opened):
                if member.isdir():
                    continue
                name = self._counted(_readable(member.name.encode("utf-8", "surrogateescape")))
                content = opened.extractfile(member) if member.isreg() else None
                if content is None:
                    self._refuse(name, Reason("archive.link"))
                elif member.size > self._limits.file_mb * MEGABYTE:
                    self._spend(member.size)  # passing over it costs as much as reading it
                    self._refuse(name, self._oversize)
                elif (target := self._target(name)) is not None:
                    self._write(name, content, target)

    def _bounded(self, opened: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
        for member in opened:
            if member.size > self._limits.total_mb * MEGABYTE:
                raise self._too_large()
            yield member

    def _counted(self, name: str) -> str:
        self._members += 1
        if self._members > self._limits.files:
            raise self._too_many()
        return name

    def _refuse(self, name: str, why: Reason) -> None:
        self.refused.append(Refused(name=name[:500], reason=Reason("archive.not_taken", why=why)))

    def _target(self, name: str) -> Path | None:
        """Where a member goes, or None when its name leads out of the folder or cannot be a file's name."""
        plain = unicodedata.normalize("NFC", name.replace("\\", "/"))
        path = PurePosixPath(plain)
        parts = [part for part in path.parts if part != "."]
        bad = not parts or path.is_absolute() or ".." in parts or (len(parts[0]) == 2 and parts[0][1] == ":")
        if bad or any(ord(c) < 32 or ord(c) == 127 for c in plain) or not _fits(parts):
            self._refuse(name, Reason("archive.bad_name"))
            return None
        target = self._into.joinpath(*parts)
        if not target.parent.resolve().is_relative_to(self._into):
            self._refuse(name, Reason("archive.leads_out"))
            return None
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            self._refuse(name, Reason("archive.file_for_folder"))
            return None
        if target.exists():
            self._refuse(name, Reason("archive.name_twice"))
            return None
        return target

    def _write(self, name: str, content: IO[bytes], target: Path) -> None:
        size, most = 0, self._limits.file_mb * MEGABYTE
        with target.open("xb") as file:
            while block := content.read(_BLOCK):
                size += len(block)
                self._spend(len(block))
                if size > most:
                    break
                file.write(block)
        if size > most:
            target.unlink()
            self._refuse(name, self._oversize)
        else:
            self.files += 1

    def _spend(self, size: int) -> None:
        """Count unpacked bytes, those that are thrown away included."""
        self._written += size
        if self._written > self._limits.total_mb * MEGABYTE:
            raise self._too_large()
        if self._written > _FREE and self._written > self._packed * self._limits.ratio:
            raise TooLarge("archive.bomb", name=self._archive.name, ratio=self._limits.ratio)

    def _too_many(self) -> TooLarge:
        return TooLarge("archive.too_many_files", name=self._archive.name, most=self._limits.files)

    def _too_large(self) -> TooLarge:
        return TooLarge("archive.too_large", name=self._archive.name, most_mb=self._limits.total_mb)


class _Member(tarfile.TarInfo):
    """Refuses headers that would fill the memory: tarfile reads names and extras whole."""

    def _proc_member(self, tar: tarfile.TarFile) -> tarfile.TarInfo:
        extra = (
            tarfile.XHDTYPE,
            tarfile.XGLTYPE,
            tarfile.SOLARIS_XHDTYPE,
            tarfile.GNUTYPE_LONGNAME,
            tarfile.GNUTYPE_LONGLINK,
        )
        if self.type in extra and self.size > _LARGEST_HEADER:
            raise tarfile.ReadError("a header is too large")
        return super()._proc_member(tar)  # type: ignore[misc, no-any-return] # tarfile's hook for subclasses


def _fits(parts: list[str]) -> bool:
    sizes = [len(part.encode("utf-8", "surrogateescape")) for part in parts]
    return max(sizes) <= 240 and sum(sizes) + len(sizes) <= _LONGEST_PATH


def _zip_name(member: zipfile.ZipInfo) -> str:
    """The name as its maker meant it: UTF-8 by the flag, else UTF-8 or GB18030 read from the bytes."""
    if member.flag_bits & 0x800:
        return member.filename
    return _readable(member.filename.encode("cp437", "replace"), otherwise=member.filename)


def _readable(raw: bytes, *, otherwise: str | None = None) -> str:
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("latin-1") if otherwise is None else otherwise


def _zip_entries(path: Path, most: int) -> int:
    """Entries in a zip's table of contents, counted up to `most` + 1 without taking it into memory; 0 when there is none."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _TAIL))
        tail = file.read()
        at = tail.rfind(_END)
        if at < 0 or at + 22 > len(tail):
            return 0
        table_size, table_at = struct.unpack("<II", tail[at + 12 : at + 20])
        if 0xFFFFFFFF in (table_size, table_at) and tail[at - 20 : at - 16] == _PLACE64:
            file.seek(struct.unpack("<Q", tail[at - 12 : at - 4])[0])
            record = file.read(56)
            if record[:4] != _END64:
                return 0
            table_size = struct.unpack("<Q", record[40:48])[0]
            end = file.tell() - 56
        else:
            end = max(0, size - _TAIL) + at
        position, count = end - table_size, 0
        while position >= 0 and position + 46 <= end and count <= most:
            file.seek(position)
            head = file.read(46)
            if head[:4] != _ENTRY:
                break
            position += 46 + sum(struct.unpack("<HHH", head[28:34]))
            count += 1
        return count


def _decompressed(raw: IO[bytes]) -> IO[bytes]:
    """By what the file begins with: names are often wrong."""
    head = raw.read(6)
    raw.seek(0)
    if head.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=raw)  # type: ignore[return-value] # it reads like an IO[bytes]
    if head.startswith(b"BZh"):
        return bz2.BZ2File(raw)
    if head.startswith(b"\xfd7zXZ"):
        return lzma.LZMAFile(raw)
    return raw
