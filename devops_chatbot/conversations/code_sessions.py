"""One sandbox session a conversation: opened with its first run, given the attached files, and closed with it."""

import contextlib
import logging
import threading
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine, insert, select
from sqlalchemy import delete as delete_from

from devops_chatbot.code import Attachment, CodeRun, ThreadSandbox
from devops_chatbot.conversations.attachments import Attachments, pieces_of
from devops_chatbot.conversations.code_runs import CodeRuns
from devops_chatbot.conversations.tables import options
from devops_chatbot.conversations.threads import Threads
from devops_chatbot.db.blobs import BlobStore
from devops_chatbot.db.transactions import reading, writing
from devops_chatbot.errors import ChatbotError, LimitReached, NotFound, TooLarge
from devops_chatbot.i18n import Reason
from devops_chatbot.schemas.threads import RunRequest
from sandbox.model import Execution, Limits, Sandbox, Session, Watch

log = logging.getLogger("devops_chatbot.conversations")


class Workbench:
    """Runs the code of conversations. Plain blocking code, safe for concurrent use; a thread runs one thing at a time.

    Raises what `sandbox.model.Sandbox` and `Session` raise.
    """

    def __init__(
        self,
        engine: Engine,
        blobs: BlobStore,
        *,
        sandbox: Sandbox,
        limits: Limits,
        threads: Threads,
        runs: CodeRuns,
        attachments: Attachments,
    ) -> None:
        self.runs = runs
        self.attachments = attachments
        self._engine = engine
        self._blobs = blobs
        self._sandbox = sandbox
        self._limits = limits
        self._threads = threads
        self._sessions: dict[str, str] = {}  # by thread, the one used last at the end
        self._placed: dict[str, set[tuple[str, datetime]]] = {}  # attached files by session
        self._ousted: set[str] = set()  # threads whose session was closed for another's
        self._stopping: set[str] = set()
        self._opening = threading.Lock()

    def run(self, thread: str, request: RunRequest, *, watch: Watch | None = None) -> CodeRun:
        """Run it in the thread's session, and keep what became of it. Raises `NotFound` for a message that is not there."""
        message = next((each for each in self._threads.load(thread).messages if each.id == request.message), None)
        if message is None or message.role != "assistant":
            raise NotFound("run.no_answer")
        self._stopping.discard(thread)
        session, news = self._session(thread, request.language)
        self._place(thread, session)
        if thread in self._stopping:
            execution = Execution(exit_code=130, stdout="", stderr="", seconds=0.0, interrupted=True)
        else:
            execution = session.run(request.code, language=request.language, timeout_s=request.timeout_s, watch=watch)
        if news:
            execution = execution.with_news(news)
        return self.runs.keep(
            thread,
            message=request.message,
            block=request.block,
            language=request.language,
            code=request.code,
            execution=execution,
            fetch=session.files.get,
        )

    def state(self, thread: str) -> ThreadSandbox:
        """The thread's session as it is now, when it has one, and the auto-run switch."""
        with reading(self._engine) as connection:
            wanted = connection.execute(select(options.c.auto_run).where(options.c.thread == thread)).scalar()
        session = self._living(thread)
        with contextlib.suppress(NotFound):
            return ThreadSandbox(auto_run=bool(wanted), session=session.info() if session else None)
        return ThreadSandbox(auto_run=bool(wanted))

    def interrupt(self, thread: str) -> None:
        """Stop what runs; does nothing when nothing does."""
        self._stopping.add(thread)
        if session := self._living(thread):
            session.interrupt()

    def reset(self, thread: str) -> None:
        """A fresh container: no variables, no files but the attached ones."""
        if session := self._living(thread):
            session.reset()

    def close(self, thread: str) -> None:
        """End the session; the next run opens another. Without one nothing happens."""
        session = self._living(thread)
        self._gone(thread)
        if session:
            session.close()

    def attach(self, thread: str, files: Sequence[Path]) -> Sequence[Attachment]:
        """Attach files, and give them to the thread's session when it has one. Raises as `Attachments.add` does."""
        added = self.attachments.add(thread, files)
        if session := self._living(thread):
            self._place(thread, session)
        return added

    def detach(self, thread: str, attachment: str) -> None:
        """Remove an attached file from everywhere, the session's folder too. Raises `NotFound`."""
        name = self.attachments.remove(thread, attachment)
        if session := self._living(thread):
            with contextlib.suppress(NotFound):  # code may have removed it
                session.files.delete(name)

    def set_auto_run(self, thread: str, wanted: bool) -> None:
        """Whether whoever shows this conversation should run the code of new answers by itself. Raises `NotFound`."""
        self._threads.summary(thread)
        with writing(self._engine) as connection:
            connection.execute(delete_from(options).where(options.c.thread == thread))
            connection.execute(insert(options).values(thread=thread, auto_run=wanted))

    def forget(self, thread: str) -> None:
        """Clear up behind a thread that is gone: session, files, knowledge."""
        try:
            self.close(thread)
        except ChatbotError as error:
            log.warning("the session of a deleted conversation was left to expire: %s", error)
        self.attachments.forget(thread)
        self._blobs.delete(thread)

    def sweep(self) -> None:
        """Clear up behind threads whose going was interrupted; at the start of the process."""
        self._blobs.sweep()
        kept = {key.partition("/")[0] for key in self._blobs.keys_below()}
        for thread in kept | self.attachments.threads():
            try:
                self._threads.summary(thread)
            except NotFound:
                self.forget(thread)

    def _living(self, thread: str) -> Session | None:
        known = self._sessions.get(thread)
        if known is None:
            return None
        try:
            return self._sandbox.get(known)
        except NotFound:
            return None

    def _session(self, thread: str, language: str) -> tuple[Session, Reason | None]:
        """The thread's session, and what to say when it is not the one that it had."""
        with self._opening:
            session, news = self._living(thread), None
            if session is None:
                if self._gone(thread) or thread in self._ousted:
                    news = Reason("run.new_session")
                session = self._open(thread, language)
                self._ousted.discard(thread)
            self._sessions[thread] = self._sessions.pop(thread, session.info().id)
            return session, news

    def _open(self, thread: str, language: str) -> Session:
        """A new session; when there are too many, the conversation used longest ago gives its up."""
        caller = self._threads.owner(thread)
        while True:
            try:
                return self._sandbox.open(self._limits, language=language, caller=caller)
            except LimitReached:
                if not self._close_oldest():
                    raise

    def _close_oldest(self) -> bool:
        for thread in list(self._sessions):
            session = self._living(thread)
            if session is None or session.info().state != "running":
                self._gone(thread)
                if session is not None:
                    session.close()
                    self._ousted.add(thread)
                    return True
        return False

    def _gone(self, thread: str) -> bool:
        """Forget a thread's session; whether it had one."""
        session = self._sessions.pop(thread, None)
        self._placed.pop(session or "", None)
        return session is not None

    def _place(self, thread: str, session: Session) -> None:
        """Put the attached files into the session's folder: new ones, and those that a fresh container lacks. What code
        has changed stays as it is.
        """
        attached = self.attachments.list(thread)
        if not attached:
            return
        there = {entry.path for entry in session.files.list()}
        placed = self._placed.setdefault(self._sessions[thread], set())
        for each in attached:
            if each.name in there and (each.name, each.created_at) in placed:
                continue
            try:
                session.files.put(each.name, pieces_of(self.attachments.get(thread, each.id)[1]))
            except TooLarge as error:
                raise TooLarge("attachment.does_not_fit", name=each.name, error=error) from error
            placed.add((each.name, each.created_at))
