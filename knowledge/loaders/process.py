"""Reads files in a process of its own, bounded in memory and time: a file that breaks its reader harms nobody.

Requests and answers are JSON and raw bytes behind their lengths; nothing that the process says is ever unpickled.
"""

import json
import os
import resource
import selectors
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

from devops_chatbot.errors import UnsupportedFile
from devops_chatbot.i18n import Reason
from knowledge.model import Link, ParsedDocument, Section

_LENGTH = struct.Struct(">II")
_MEGABYTE = 1024 * 1024
_MOST_ANSWER = 1 << 30
_ROOT = Path(__file__).parents[2]
"""Where the packages lie: the process is told, because it does not look into the working directory."""
_RECYCLE = 2000
"""Files after which the process is made anew, so that a reader's leak cannot grow."""


class ParserProcess:
    """Safe for use from several threads; they take turns. The process starts with the first file."""

    def __init__(self, *, timeout_s: float, memory_mb: int) -> None:
        self._timeout = timeout_s
        self._memory = memory_mb
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._served = 0

    def load(self, data: bytes, name: str) -> ParsedDocument:
        """`knowledge.loaders.load` with bounds. Raises `UnsupportedFile`, also when the reader ran out of time or memory."""
        with self._lock:
            if self._served >= _RECYCLE:
                self._stop()
            process = self._started()
            self._served += 1
            try:
                answer = self._exchange(process, data, name)
            except TimeoutError:
                self._stop()
                raise UnsupportedFile("file.reader_too_slow", seconds=self._timeout) from None
            except (BrokenPipeError, EOFError):
                self._stop()
                raise UnsupportedFile("file.reader_broke") from None
        try:
            return _parsed(*answer)
        except (ValueError, TypeError, KeyError) as error:
            raise UnsupportedFile("file.reader_nonsense", error=error) from error

    def close(self) -> None:
        with self._lock:
            self._stop()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            environment = {key: os.environ[key] for key in ("PATH", "LANG", "LC_ALL") if key in os.environ}
            environment["PYTHONPATH"] = os.pathsep.join([str(_ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(
                os.pathsep
            )
            self._process = subprocess.Popen(  # noqa: S603 our own module
                [sys.executable, "-P", "-m", "knowledge.loaders.process", str(self._memory)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
            )
            self._served = 0
        return self._process

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except BrokenPipeError:
                    continue  # what was still buffered was for the process that is gone

    def _exchange(self, process: subprocess.Popen[bytes], data: bytes, name: str) -> tuple[bytes, bytes]:
        assert process.stdin is not None  # noqa: S101 both are pipes
        assert process.stdout is not None  # noqa: S101
        encoded = name.encode("utf-8", "replace")
        deadline = time.monotonic() + self._timeout
        writer = threading.Thread(target=_send, args=(process.stdin, encoded, data), daemon=True)
        writer.start()
        head_size, size = _LENGTH.unpack(_read(process.stdout, _LENGTH.size, deadline))
        if head_size + size > _MOST_ANSWER:
            raise EOFError
        answer = _read(process.stdout, head_size, deadline), _read(process.stdout, size, deadline)
        writer.join()
        return answer


def _parsed(head: bytes, text: bytes) -> ParsedDocument:
    """A document out of an answer. Raises `UnsupportedFile` when the answer is why there is none."""
    fields: dict[str, Any] = json.loads(head)
    if "error" in fields:
        raise UnsupportedFile(Reason.parse(fields["error"]))
    return ParsedDocument(
        text=text.decode(),
        title=str(fields["title"]),
        loader=str(fields["loader"]),
        sections=tuple(
            Section(heading_path=tuple(map(str, path)), level=int(level), start=int(start), end=int(end))
            for path, level, start, end in fields["sections"]
        ),
        page_starts=tuple(map(int, fields["page_starts"])),
        links=tuple(Link(target=str(target), text=str(words)) for target, words in fields["links"]),
        has_lines=bool(fields["has_lines"]),
        code_language=str(fields["code_language"]) if fields["code_language"] else None,
        notes=tuple(map(Reason.parse, fields["notes"])),
    )


def _answer(parsed: ParsedDocument) -> tuple[bytes, bytes]:
    """A document as JSON and, beside it because it is long, its text."""
    head = {
        "title": parsed.title,
        "loader": parsed.loader,
        "sections": [(one.heading_path, one.level, one.start, one.end) for one in parsed.sections],
        "page_starts": parsed.page_starts,
        "links": [(link.target, link.text) for link in parsed.links],
        "has_lines": parsed.has_lines,
        "code_language": parsed.code_language,
        "notes": [note.to_dict() for note in parsed.notes],
    }
    return json.dumps(head).encode(), parsed.text.encode("utf-8", "replace")


def _send(stream: IO[bytes], name: bytes, data: bytes) -> None:
    try:
        stream.write(_LENGTH.pack(len(name), len(data)) + name)
        stream.write(data)
        stream.flush()
    except (BrokenPipeError, ValueError):
        return  # the process died; the reading side says so


def _read(stream: IO[bytes], size: int, deadline: float) -> bytes:
    """Exactly `size` bytes before `deadline`. Raises TimeoutError, or EOFError when the process ended."""
    handle, parts, left = stream.fileno(), [], size
    with selectors.DefaultSelector() as selector:
        selector.register(handle, selectors.EVENT_READ)
        while left:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise TimeoutError
            block = os.read(handle, min(left, _MEGABYTE))
            if not block:
                raise EOFError
            parts.append(block)
            left -= len(block)
    return b"".join(parts)


def _serve(memory_mb: int) -> None:
    """The child: read a request, answer it, until the pipe closes."""
    _bound(memory_mb)
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # a library that prints must not disturb the answers
    while head := requests.read(_LENGTH.size):
        name_size, size = _LENGTH.unpack(head)
        name = requests.read(name_size).decode("utf-8")
        answer = _answered(requests.read(size), name, memory_mb)
        answers.write(_LENGTH.pack(*map(len, answer)))
        answers.writelines(answer)
        answers.flush()


def _bound(memory_mb: int) -> None:
    memory = memory_mb * _MEGABYTE
    for kind, most in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0)):
        try:
            resource.setrlimit(kind, (most, most))
        except (ValueError, OSError):
            continue  # macOS knows no bound of the address space


def _answered(data: bytes, name: str, memory_mb: int) -> tuple[bytes, bytes]:
    from knowledge.loaders import load

    try:
        return _answer(load(data, name))
    except UnsupportedFile as error:
        why = error.reason
    except MemoryError:
        why = Reason("file.too_much_memory", mb=memory_mb)
    except RecursionError:
        why = Reason("file.too_deep")
    except Exception as error:  # noqa: BLE001 whatever a reader raises on a foreign file is that file's failure
        why = Reason("file.unreadable", error=f"{type(error).__name__}: {error}"[:500])
    return json.dumps({"error": why.to_dict()}).encode(), b""


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
