"""Writes the files of a multipart body to disk while it arrives, so that memory does not grow with the upload."""

import errno
import filecmp
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool

from devops_chatbot.config.data_directory import FULL
from devops_chatbot.errors import BadRequest, StoreUnavailable, TooLarge

FIELD = "files"


async def receive_files(
    body: AsyncIterator[bytes],
    content_type: str,
    into: Path,
    *,
    max_mb: int,
    setting: str = "knowledge.max_upload_mb",
) -> int:
    """Write every file of the field `files` below `into`, which exists and is empty; returns how many.

    Names may be relative paths. Raises `BadRequest` for a body that is no upload, a name that leaves the folder or two
    different files of one name, `TooLarge` above `max_mb` (naming the `setting`), `StoreUnavailable` when the disk is full.
    """
    incoming = _Incoming(content_type, into, max_bytes=max_mb * 1024 * 1024, setting=setting)
    try:
        async for data in body:
            await run_in_threadpool(incoming.write, data)
        await run_in_threadpool(incoming.finish)
    except OSError as error:
        if error.errno in FULL:
            raise StoreUnavailable("disk.full") from error
        if error.errno in (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EINVAL, errno.EEXIST):
            raise BadRequest("upload.bad_name", name=incoming.name, error=error.strerror) from error
        raise
    finally:
        incoming.close()
    if not incoming.files:
        raise BadRequest("upload.empty", field=FIELD)
    return incoming.files


class _Incoming:
    """The state of one multipart body on its way in."""

    def __init__(self, content_type: str, into: Path, *, max_bytes: int, setting: str) -> None:
        from python_multipart.multipart import MultipartParser, parse_options_header

        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if kind != b"multipart/form-data":
            raise BadRequest("upload.content_type", kind=content_type)
        if not boundary:
            raise BadRequest("upload.no_boundary")
        self.files = 0
        self.name = ""
        self._into = into
        self._part = into.with_name(f"{into.name}.part")
        self._left = self._max_bytes = max_bytes
        self._setting = setting
        self._header = [b"", b""]
        self._headers: dict[bytes, bytes] = {}
        self._target: Path | None = None
        self._file: BinaryIO | None = None
        self._ended = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": lambda data, start, end: self._on_header(0, data[start:end]),
                "on_header_value": lambda data, start, end: self._on_header(1, data[start:end]),
                "on_header_end": self._end_header,
                "on_headers_finished": self._open,
                "on_part_data": self._data,
                "on_part_end": self._end,
                "on_end": self._end_body,
            },
        )

    def write(self, data: bytes) -> None:
        from python_multipart.exceptions import FormParserError

        try:
            self._parser.write(data)
        except FormParserError as error:
            raise BadRequest("upload.malformed", error=error) from error

    def finish(self) -> None:
        if not self._ended:
            raise BadRequest("upload.cut_off")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        self._part.unlink(missing_ok=True)

    def _begin(self) -> None:
        self._headers = {}

    def _on_header(self, part: int, data: bytes) -> None:
        self._header[part] += data

    def _end_header(self) -> None:
        self._headers[self._header[0].lower()] = self._header[1]
        self._header = [b"", b""]

    def _open(self) -> None:
        from python_multipart.multipart import parse_options_header

        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        if options.get(b"name", b"").decode("utf-8", "replace") != FIELD or b"filename" not in options:
            return
        name = options[b"filename"].decode("utf-8", "replace")
        if b"filename*" in options:
            name = unquote(options[b"filename*"].decode("ascii", "replace").rpartition("'")[2])
        if not name:
            return
        self.name = name
        self._target = self._into / relative_path(name)
        self._target.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._part.open("wb")

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._left -= end - start
        if self._left < 0:
            raise TooLarge("upload.too_large", mb=self._max_bytes >> 20, setting=self._setting)
        if self._file is not None:
            self._file.write(data[start:end])

    def _end(self) -> None:
        if self._file is None or self._target is None:
            return
        self._file.close()
        self._file = None
        if self._target.is_dir() or (
            self._target.exists() and not filecmp.cmp(self._part, self._target, shallow=False)
        ):
            raise BadRequest("upload.name_twice", name=self.name)
        self._part.replace(self._target)
        self.files += 1

    def _end_body(self) -> None:
        self._ended = True


def relative_path(name: str) -> Path:
    """The name a client gave as a path that stays below the folder it is written to."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    if not parts or ".." in parts or "\0" in name:
        raise BadRequest("upload.name_leads_out", name=name)
    return Path(*parts)
