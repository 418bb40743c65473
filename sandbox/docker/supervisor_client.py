"""One container's stream, shared by requests, a running program and the tunnel of the proxy."""

import contextlib
import itertools
import logging
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from devops_chatbot.errors import BadRequest, ChatbotError, Conflict, NotFound, TooLarge
from devops_chatbot.i18n import Reason
from sandbox.docker import frames
from sandbox.docker.engine import Stream
from sandbox.docker.frames import BrokenFrames, Header

CALL_TIMEOUT_S = 30.0
log = logging.getLogger(__name__)
CLOSED = Reason("gone.closed")

Frame = tuple[Header, bytes]
_REFUSALS: dict[str, tuple[type[ChatbotError], Reason]] = {
    "not_found": (NotFound, Reason("sandbox.no_file")),
    "too_large": (TooLarge, Reason("sandbox.folder_full")),
    "full": (TooLarge, Reason("sandbox.folder_full")),
    "busy": (Conflict, Reason("sandbox.busy")),
}


class Gone(Exception):
    """The container has ended, or does not speak our protocol any more, for this reason."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(str(reason))
        self.reason = reason


class SupervisorClient:
    """Sends frames and hands each answer to whoever waits for it. Safe to use from several threads.

    The other end is not trusted: a broken frame, or an answer that nobody waits for, changes nothing outside.
    """

    def __init__(
        self, stream: Stream, *, on_tunnel: Callable[[Header, bytes], None], patience_s: float = CALL_TIMEOUT_S
    ) -> None:
        self._stream = stream
        self._patience_s = patience_s
        self._numbers = itertools.count(1)
        self._waiting: dict[int, queue.SimpleQueue[Frame | None]] = {}
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._on_tunnel = on_tunnel
        self._hello: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
        self.gone = threading.Event()
        self.reason = CLOSED
        self._reader = threading.Thread(target=self._read, name="sandbox-channel", daemon=True)
        self._reader.start()

    def hello(self, timeout: float) -> Header:
        """The supervisor's first words. Raises `Gone`."""
        try:
            frame = self._hello.get(timeout=timeout)
        except queue.Empty:
            frame = None
        if frame is None:
            raise Gone(self.reason if self.gone.is_set() else Reason("gone.not_started"))
        return frame[0]

    def send(self, header: Header, body: bytes = b"") -> None:
        """One frame. Raises `Gone`."""
        try:
            with self._sending:
                self._stream.send(frames.pack(header, body))
        except OSError as error:
            self.close(Reason("gone.deaf", error=error))
            raise Gone(self.reason) from error

    def call(self, operation: str, body: bytes = b"", **arguments: object) -> Frame:
        """Ask and wait for the one answer. Raises `Gone`, and the error that a refusal stands for.

        A container that does not answer in time has gone: it is ended.
        """
        with self.conversation() as conversation:
            self.send({"op": operation, "id": conversation.number, **arguments}, body)
            try:
                return conversation.next(self._patience_s)
            except TimeoutError:
                self.close(Reason("gone.silent", seconds=self._patience_s))
                raise Gone(self.reason) from None

    @contextlib.contextmanager
    def conversation(self) -> "Iterator[Conversation]":
        """A request with a number of its own, whose answers are waited for until the block ends."""
        number = next(self._numbers)
        answers: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
        with self._lock:
            if self.gone.is_set():
                answers.put(None)
            self._waiting[number] = answers
        try:
            yield Conversation(self, number, answers)
        finally:
            with self._lock:
                del self._waiting[number]

    def close(self, reason: Reason = CLOSED) -> None:
        """End the stream, and with it the container's process."""
        with self._lock:
            if not self.gone.is_set():
                self.reason = reason
                self.gone.set()
                for answers in (*self._waiting.values(), self._hello):
                    answers.put(None)
        self._stream.close()

    def _read(self) -> None:
        unpacker = frames.Unpacker()
        complaint = Reason("gone.ended")
        try:
            for kind, piece in self._stream.pieces():
                if kind != 1:
                    said = piece.decode("utf-8", "replace").strip()[-500:]
                    log.warning("a sandbox's supervisor says: %s", said)
                    complaint = Reason("gone.complained", said=said)
                    continue
                for header, body in unpacker.feed(piece):
                    self._dispatch(header, body)
        except BrokenFrames as error:
            complaint = Reason("gone.misused", error=error)
        self.close(complaint)

    def _dispatch(self, header: Header, body: bytes) -> None:
        if "tunnel" in header:
            self._on_tunnel(header, body)
            return
        if "hello" in header:
            self._hello.put((header, body))
            return
        number = header.get("id")
        with self._lock:
            answers = self._waiting.get(number) if isinstance(number, int) else None
        if answers is not None:
            answers.put((header, body))


@dataclass(frozen=True, slots=True)
class Conversation:
    """A request whose answers are still to come."""

    client: SupervisorClient
    number: int
    answers: "queue.SimpleQueue[Frame | None]"

    def next(self, timeout: float) -> Frame:
        """The next answer. Raises `TimeoutError`, `Gone`, and the error that a refusal stands for."""
        try:
            frame = self.answers.get(timeout=max(0.0, timeout))
        except queue.Empty:
            raise TimeoutError from None
        if frame is None:
            raise Gone(self.client.reason)
        refusal = frame[0].get("refused")
        if refusal is not None:
            detail = frame[0].get("detail", refusal)
            kind, reason = _REFUSALS.get(str(refusal), (BadRequest, Reason("sandbox.refused", detail=detail)))
            raise kind(reason)
        return frame
