"""Workers: the interpreters that run user code, one process a language, and what they say on their control pipe.

A worker reads requests from descriptor 3 and answers on descriptor 4; its stdout and stderr are plain pipes, so nothing
that code prints can be taken for an answer. A request is `run <nonce> <length>` and the code. Answers are `ready`,
`show <nonce> <length of JSON> <length of data>` with both, and `done <nonce> <exit code>`; each header ends its line.
"""

import ctypes
import fcntl
import json
import os
import signal
from typing import Any

PR_SET_DUMPABLE = 4
MAX_SHOWN_META = 64 << 10
REQUEST, ANSWER, COMMANDS, OUT, ERR = "request", "answer", "commands", "stdout", "stderr"
TERMINAL = "terminal"


class Broken(Exception):
    """A worker's control pipe carried something that is not our protocol."""


def load_manifests(folder: str) -> "dict[str, dict[str, Any]]":
    """Every language of the image by name and alias."""
    known: dict[str, dict[str, Any]] = {}
    for name in sorted(os.listdir(folder)):
        path = f"{folder}/{name}/language.json"
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                manifest = json.load(file)
            for alias in [manifest["name"], *manifest["aliases"]]:
                known[alias] = manifest
    return known


def set_dumpable(value: int) -> None:
    """Whether processes of the same user may look into this one (memory, descriptors, environment)."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_DUMPABLE, value, 0, 0, 0)


class Worker:
    """One interpreter process and the supervisor's ends of its pipes."""

    def __init__(self, manifest: "dict[str, Any]", *, folder: str, environment: "dict[str, str]") -> None:
        self.language: str = manifest["name"]
        self.ready = False
        self.reaped = False
        self.each_run: bytes = manifest.get("each_run", "").encode()
        self._answer = bytearray()
        inside, outside = {}, {}
        for name in (REQUEST, ANSWER, OUT, ERR, *((COMMANDS,) if self.each_run else ())):
            read, write = os.pipe()  # close-on-exec, as everything that Python opens
            inside[name], outside[name] = (read, write) if name in (REQUEST, COMMANDS) else (write, read)
        if manifest.get("terminal"):
            outside[TERMINAL], inside[TERMINAL] = os.openpty()
        try:
            self.pid = os.fork()
        except OSError:
            for fd in (*inside.values(), *outside.values()):
                os.close(fd)
            raise
        if self.pid == 0:
            _become(manifest, inside, folder=folder, environment={**environment, **manifest.get("environment", {})})
        for fd in inside.values():
            os.close(fd)
        for fd in outside.values():
            os.set_blocking(fd, False)
        self.pipes: dict[str, int] = outside
        self._to_write: dict[str, bytearray] = {}

    @property
    def writing(self) -> "list[str]":
        """The pipes that have something waiting to be written."""
        return [name for name, data in self._to_write.items() if data and name in self.pipes]

    def request(self, nonce: str, code: bytes) -> None:
        """Hand the code over; `pump` writes what does not fit now."""
        self._to_write[REQUEST] = bytearray(b"run %s %d\n" % (nonce.encode(), len(code)) + code)
        if self.each_run:
            self._to_write.setdefault(COMMANDS, bytearray()).extend(self.each_run)
        self.pump()

    def pump(self) -> None:
        """Write what the pipes take."""
        for name in self.writing:
            data = self._to_write[name]
            try:
                while data:
                    del data[: os.write(self.pipes[name], data)]
            except BlockingIOError:
                pass
            except OSError:
                data.clear()  # it is gone; its death is noticed elsewhere

    def answers(self, limit: int) -> "list[tuple[str, list[str], bytes]]":
        """What the worker said since: (word, arguments, data). `limit` bounds the data. Raises `Broken`."""
        buffer = self._answer
        while (piece := self.read(ANSWER)) is not None:
            buffer += piece
            if len(buffer) > limit + MAX_SHOWN_META + 1024:
                break
        said: list[tuple[str, list[str], bytes]] = []
        while (end := buffer.find(b"\n", 0, 256)) >= 0:
            word, *arguments = buffer[:end].decode("ascii", "replace").split(" ")
            length = _data_length(word, arguments, limit)
            if len(buffer) < end + 1 + length:
                return said
            said.append((word, arguments, bytes(buffer[end + 1 : end + 1 + length])))
            del buffer[: end + 1 + length]
        if len(buffer) > 256:
            raise Broken("no line where an answer should be")
        return said

    def read(self, name: str) -> "bytes | None":
        """What a pipe has now; None when it has nothing (more)."""
        if name not in self.pipes:
            return None
        try:
            piece = os.read(self.pipes[name], 256 << 10)
        except BlockingIOError:
            return None
        except OSError:
            piece = b""
        if not piece:
            self.close(name)
            return None
        return piece

    def signal(self, number: int) -> None:
        """Signal the worker and what it started in the foreground."""
        for kill, who in ((os.killpg, self.pid), (os.kill, self.pid)):
            try:
                kill(who, number)
                return
            except ProcessLookupError:
                continue

    def close(self, *names: str) -> None:
        """Close our ends of these pipes, or of all."""
        for name in names or tuple(self.pipes):
            fd = self.pipes.pop(name, None)
            if fd is not None:
                os.close(fd)


def _data_length(word: str, arguments: "list[str]", limit: int) -> int:
    if word == "ready" and not arguments:
        return 0
    if word == "done" and len(arguments) == 2 and arguments[1].isdigit() and len(arguments[1]) <= 3:
        return 0
    if word == "show" and len(arguments) == 3 and arguments[1].isdigit() and arguments[2].isdigit():
        meta, data = int(arguments[1]), int(arguments[2])
        if meta <= MAX_SHOWN_META and data <= limit:
            return meta + data
    raise Broken("an answer that we do not know")


def _become(
    manifest: "dict[str, Any]", inside: "dict[str, int]", *, folder: str, environment: "dict[str, str]"
) -> None:
    """In the forked child: let go of everything of the supervisor's, and become the interpreter."""
    try:
        os.setsid()
        null = os.open("/dev/null", os.O_RDONLY)
        # First far away from 0..9, so that no dup2 overwrites an end that is still to be moved.
        moved = {name: fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 64) for name, fd in {**inside, "null": null}.items()}
        targets = [(moved.get(COMMANDS, moved["null"]), 0), (moved[OUT], 1), (moved[ERR], 2)]
        targets += [(moved[REQUEST], 3), (moved[ANSWER], 4)]
        if TERMINAL in moved:  # the interpreter puts 5 back in the place of 2 once it has looked at its terminal
            targets += [(moved[ERR], 5), (moved[TERMINAL], 2)]
        for source, target in targets:
            os.dup2(source, target, inheritable=True)
        # Only now may others of this user look in: the stream to the host is closed in this process.
        os.closerange(6 if TERMINAL in moved else 5, 4096)
        set_dumpable(1)
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write("500")
        os.nice(5)
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        os.chdir(folder)
        os.execvpe(manifest["command"][0], manifest["command"], environment)
    except BaseException as error:  # whatever it was, this child must not return into the supervisor
        os.write(2, f"the interpreter does not start: {error}\n".encode())
    finally:
        os._exit(126)
