"""The supervisor: process 1 of a session's container, between the host's stream and the interpreters.

It is the only process that holds the stream. Being process 1 it cannot be killed from inside, and being undumpable its
descriptors and its memory are closed to user code, although that runs as the same user. It enforces deadlines, bounds
output, and moves files; the host does not trust it either.
"""

import array
import fcntl
import os
import selectors
import signal
import sys
import termios
import time
from typing import Any

import environment
import frames
import processes
from files import Folder, Refused
from runs import DEADLINE_GRACE, INTERRUPT_GRACE, Run, out_of_memory_kills
from tunnel import Tunnel
from workers import ANSWER, COMMANDS, ERR, OUT, REQUEST, Broken, Worker, load_manifests, set_dumpable

LANGUAGES = "/opt/sandbox/languages"
MAX_ARTIFACTS = 32


class Supervisor:
    """The loop."""

    def __init__(self, folder: str) -> None:
        self.root = folder
        self.folder = Folder(folder)
        self.manifests = load_manifests(LANGUAGES)
        self.selector = selectors.DefaultSelector()
        self.unpacker = frames.Unpacker()
        self.workers: dict[str, Worker] = {}
        self.run: Run | None = None
        self.preferred = "python" if "python" in self.manifests else next(iter(self.manifests))
        self.environment = environment.usual(folder)
        self.tunnel = Tunnel(self.selector, self.send)
        self.seen: dict[str, tuple[int, int]] = {}

    def send(self, header: "dict[str, Any]", body: bytes = b"") -> None:
        """One frame to the host, however long it takes."""
        view = memoryview(frames.pack(header, body))
        try:
            while view:
                view = view[os.write(1, view) :]
        except OSError:
            os._exit(0)  # nobody is there any more

    def loop(self) -> None:
        """Serve until the host closes the stream."""
        wake, woken = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(woken, False)
        # What process 1 does not handle cannot reach it from inside; Python would handle this one.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        self.selector.register(0, selectors.EVENT_READ, self._host)
        self.selector.register(wake, selectors.EVENT_READ, lambda: self._reap(wake))
        self.start(self.preferred)
        self.send({"hello": 1, "languages": sorted({m["name"] for m in self.manifests.values()})})
        while True:
            wait = None if self.run is None else max(0.0, self.run.due - time.monotonic())
            for key, _ in self.selector.select(wait):
                if self.selector.get_map().get(key.fd) == key:  # nobody closed it a moment ago
                    key.data()
            if self.run is not None and time.monotonic() >= self.run.due:
                self._overdue(self.run)

    # ---- the host

    def _host(self) -> None:
        piece = os.read(0, 1 << 20)
        if not piece:
            os._exit(0)
        for header, body in self.unpacker.feed(piece):
            if "tunnel" in header:
                self.tunnel.from_host(header, body)
                continue
            try:
                answer = self._serve(header, body)
            except Refused as refusal:
                self.send({"id": header.get("id"), "refused": refusal.args[0], "detail": refusal.args[1]})
            else:
                if answer is not None:
                    self.send({"id": header.get("id"), **answer[0]}, answer[1])

    def _serve(self, header: "dict[str, Any]", body: bytes) -> "tuple[dict[str, Any], bytes] | None":
        operation = header["op"]
        if operation == "run":
            self._run(header, body)
            return None
        if operation == "interrupt":
            if self.run is not None and (header.get("run") is None or header["run"] == self.run.id):
                self.run.interrupted = True
                self._interrupt(self.run, INTERRUPT_GRACE)
            return {"ok": True}, b""
        if operation == "open":
            self._open(header, body)
            return {"ok": True}, b""
        if operation == "ping":
            return {"ok": True}, b""
        if operation == "put":
            self.folder.put(header["path"], body, first=header["first"], last=header["last"])
            return {"ok": True}, b""
        if operation == "cancel":
            self.folder.cancel(header["path"])
            return {"ok": True}, b""
        if operation == "get":
            piece, size = self.folder.get(header["path"], offset=header["offset"], size=header["size"])
            return {"ok": True, "size": size}, piece
        if operation == "delete":
            self.folder.delete(header["path"])
            return {"ok": True}, b""
        if operation == "list":
            return {"ok": True, "files": self.folder.entries()}, b""
        raise Refused("bad_path", f"there is no operation {operation!r}")

    def _open(self, header: "dict[str, Any]", authorities: bytes) -> None:
        """Make the session somebody's: its language, and the way out if it has one."""
        preferred = self._language(header["language"])
        if header.get("proxy"):
            self.environment |= environment.proxy(self.tunnel.listen())
            if authorities:
                self.environment |= environment.trust(authorities)
            self._kill_all()  # what runs started without them
        if preferred != self.preferred:
            self.preferred = preferred
        if preferred not in self.workers:
            self.start(preferred)

    def _language(self, name: str) -> str:
        manifest = self.manifests.get(name)
        if manifest is None:
            known = ", ".join(sorted({m["name"] for m in self.manifests.values()}))
            raise Refused("bad_language", f"this image does not run {name!r}; it runs {known}")
        return str(manifest["name"])

    # ---- running

    def _run(self, header: "dict[str, Any]", code: bytes) -> None:
        if self.run is not None:
            raise Refused("busy", "a run is in progress in this session; wait for it or interrupt it")
        language = self._language(header["language"])
        self.run = Run(
            id=header["id"],
            language=language,
            seconds=float(header["seconds"]),
            output_left=int(header["output_bytes"]),
            artifact_left=int(header["artifact_bytes"]),
            code=code,
            oom_before=out_of_memory_kills(),
        )
        self.seen = self._files()
        if language not in self.workers and not self.start(language):
            self._kill_all()  # everything the session may start is started: what earlier runs left behind has to go
            if not self.start(language):
                self._finish(126, state_lost=True, why="the session has no process left to start the interpreter with")
                return
        worker = self.workers[language]
        if worker.ready:
            self._hand_over(worker)

    def start(self, language: str) -> bool:
        """Start the interpreter of a language; false when the session has no process left for it."""
        try:
            worker = Worker(self.manifests[language], folder=self.root, environment=self.environment)
        except OSError:
            return False
        self.workers[language] = worker
        for name in (OUT, ERR, ANSWER):
            self.selector.register(
                worker.pipes[name],
                selectors.EVENT_READ,
                (lambda w=worker: self._answers(w))
                if name == ANSWER
                else (lambda w=worker, n=name: self._output(w, n)),
            )
        return True

    def _hand_over(self, worker: Worker) -> None:
        run = self.run
        assert run is not None
        if run.interrupted:
            self._finish(130, state_lost=False, why="interrupted before it began")
            return
        for name in (OUT, ERR):  # what was said before this run belongs to nobody
            self._drain(worker, name, None)
        run.sent = True
        run.started = time.monotonic()
        self.send({"id": run.id, "began": True})
        worker.request(run.nonce, run.code)
        run.code = b""
        self._watch_writes(worker)

    def _watch_writes(self, worker: Worker) -> None:
        for name in (REQUEST, COMMANDS):
            fd = worker.pipes.get(name)
            if fd is None:
                continue
            watched = fd in self.selector.get_map()
            if name in worker.writing and not watched:
                self.selector.register(fd, selectors.EVENT_WRITE, lambda w=worker: self._pump(w))
            elif name not in worker.writing and watched:
                self.selector.unregister(fd)

    def _pump(self, worker: Worker) -> None:
        worker.pump()
        self._watch_writes(worker)

    def _current(self, worker: Worker) -> "Run | None":
        run = self.run
        return run if run is not None and run.sent and self.workers.get(run.language) is worker else None

    def _output(self, worker: Worker, name: str) -> None:
        fd = worker.pipes[name]
        piece = worker.read(name)
        if name not in worker.pipes:
            self.selector.unregister(fd)
        if piece:
            self._forward(self._current(worker), name, piece)

    def _forward(self, run: "Run | None", name: str, piece: bytes) -> None:
        if run is not None and (kept := run.take(piece)):
            self.send({"id": run.id, "out": name}, kept)

    def _drain(self, worker: Worker, name: str, run: "Run | None") -> None:
        """Take what the pipe holds at this moment, and no more: a process that stayed behind may write for ever."""
        fd = worker.pipes.get(name)
        if fd is None:
            return
        waiting = array.array("i", [0])
        fcntl.ioctl(fd, termios.FIONREAD, waiting)
        left = waiting[0]
        while left > 0 and (piece := worker.read(name)):
            left -= len(piece)
            self._forward(run, name, piece)
        if name not in worker.pipes:
            self.selector.unregister(fd)

    def _answers(self, worker: Worker) -> None:
        run = self._current(worker)
        fd = worker.pipes[ANSWER]
        try:
            said = worker.answers(run.artifact_left if run is not None else 0)
        except Broken as broken:
            worker.close(ANSWER)
            self.selector.unregister(fd)
            if not worker.reaped:
                os.kill(worker.pid, signal.SIGKILL)
                status = os.waitpid(worker.pid, 0)[1]
                self._gone(worker, status, why=f"the interpreter's control channel was misused: {broken}")
            return
        if ANSWER not in worker.pipes:
            self.selector.unregister(fd)
        for word, arguments, data in said:
            if word == "ready" and not worker.ready:
                worker.ready = True
                if self.run is not None and self.run.language == worker.language and not self.run.sent:
                    self._hand_over(worker)
            elif word != "ready" and run is not None and run is self.run and arguments[0] == run.nonce:
                if word == "show":
                    self._show(run, data, int(arguments[1]))
                else:
                    self._done(worker, run, int(arguments[1]))

    def _show(self, run: Run, data: bytes, meta_length: int) -> None:
        if run.artifacts >= MAX_ARTIFACTS or len(data) > run.artifact_left:
            run.truncated = True
            return
        run.artifacts += 1
        run.artifact_left -= len(data)
        self.send({"id": run.id, "shown": data[:meta_length].decode("utf-8", "replace")}, data[meta_length:])

    def _done(self, worker: Worker, run: Run, exit_code: int) -> None:
        for name in (OUT, ERR):
            self._drain(worker, name, run)
        if run.timed_out:
            self._kill_strays()
        self._finish(exit_code, state_lost=False, why="")

    def _finish(self, exit_code: int, *, state_lost: bool, why: str) -> None:
        run = self.run
        assert run is not None
        if out_of_memory_kills() > run.oom_before:
            why = "out of memory: " + (why or "the kernel ended a process of the session")
        now = self._files()
        changed = [
            {"path": path, "size": state[0]} for path, state in sorted(now.items()) if self.seen.get(path) != state
        ]
        self.seen = now
        self.run = None
        self.send({"id": run.id, "done": run.result(exit_code, state_lost=state_lost, why=why, files=changed[:100])})
        if self.preferred not in self.workers:
            self.start(self.preferred)

    def _files(self) -> "dict[str, tuple[int, int]]":
        return {entry["path"]: (entry["size"], entry["mtime"]) for entry in self.folder.entries()}

    # ---- stopping

    def _interrupt(self, run: Run, grace: float) -> None:
        worker = self.workers.get(run.language)
        now = time.monotonic()
        run.kill_at, run.again_at = now + grace, now + grace / 2
        if worker is not None and run.sent:
            worker.signal(signal.SIGINT)

    def _overdue(self, run: Run) -> None:
        if run.kill_at is None and run.sent:
            run.timed_out = True
            self._interrupt(run, DEADLINE_GRACE)
            return
        worker = self.workers.get(run.language)
        if run.again_at is not None:
            run.again_at = None
            if worker is not None and run.sent:
                worker.signal(signal.SIGINT)
            return
        if not run.sent:
            why = "the interpreter did not start in time"
        else:
            why = "it did not stop when asked to, so every process of the session was ended"
        self._kill_all(but_drain=worker)
        self._finish(137, state_lost=True, why=why)

    def _kill_all(self, but_drain: "Worker | None" = None) -> None:
        """End every process of the container but this one, and let go of the interpreters."""
        processes.end_all()
        for worker in list(self.workers.values()):
            if worker is but_drain:
                for name in (OUT, ERR):
                    self._drain(worker, name, self.run)
            self._forget(worker)

    def _kill_strays(self) -> None:
        """After a deadline: end all but this process and the interpreters that stopped when asked to."""
        if not processes.end_all_but({worker.pid for worker in self.workers.values()}):
            self._kill_all()

    def _reap(self, wake: int) -> None:
        try:
            os.read(wake, 4096)
        except BlockingIOError:
            pass
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for worker in list(self.workers.values()):
                if worker.pid == pid:
                    self._gone(worker, status)

    def _gone(self, worker: Worker, status: int, *, why: str = "") -> None:
        """An interpreter ended: by the code's own will, or by a signal."""
        worker.reaped = True
        run = self._current(worker)
        waiting = self.run is not None and not self.run.sent and self.run.language == worker.language
        if run is not None and not why and ANSWER in worker.pipes:
            self._answers(worker)  # it may have finished the run just before
            if self.workers.get(worker.language) is not worker:
                return
            run = self._current(worker)
        if run is not None:
            for name in (OUT, ERR):
                self._drain(worker, name, run)
        self._forget(worker)
        code = os.waitstatus_to_exitcode(status)
        if run is not None or waiting:
            if code < 0 and not why:
                why = f"the interpreter was ended by signal {-code}"
            if run is not None and run.timed_out:
                self._kill_strays()
            self._finish(code if code >= 0 else 128 - code, state_lost=True, why=why)
        elif worker.ready and self.preferred not in self.workers:
            self.start(self.preferred)

    def _forget(self, worker: Worker) -> None:
        if self.workers.get(worker.language) is worker:
            del self.workers[worker.language]
        for fd in worker.pipes.values():
            if fd in self.selector.get_map():
                self.selector.unregister(fd)
        worker.close()


if __name__ == "__main__":
    set_dumpable(0)
    Supervisor(sys.argv[1]).loop()
