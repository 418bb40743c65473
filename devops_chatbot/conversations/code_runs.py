"""Runs of code that stand in a conversation: how each ended and what it made, kept until the conversation goes."""

import json
import logging
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, Row, func, insert, select
from sqlalchemy import delete as delete_from

from devops_chatbot.code import CodeRun, RunArtifact
from devops_chatbot.conversations.tables import code_runs
from devops_chatbot.db.transactions import reading, writing
from devops_chatbot.errors import ChatbotError, NotFound
from devops_chatbot.values import from_object, to_json
from sandbox.model import Artifact, Execution

MEGABYTE = 1 << 20
LONGEST_OUTPUT = 200_000
"""Characters of each stream that are kept."""

log = logging.getLogger("devops_chatbot.conversations")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLimits:
    """How many bytes the files of one run, and of all runs of a conversation, may take on our disk."""

    of_run: int = 32 * MEGABYTE
    of_thread: int = 256 * MEGABYTE


class CodeRuns:
    """Keeps runs in the records and what they made in files below `folder`. Safe for concurrent use.

    A thread or a message that goes takes its runs along. Raises `StoreUnavailable`.
    """

    def __init__(self, engine: Engine, folder: Path, limits: RunLimits | None = None) -> None:
        self._engine = engine
        self._folder = folder
        self._limits = limits or RunLimits()

    def list(self, thread: str) -> Sequence[CodeRun]:
        """Oldest first."""
        found = select(code_runs).where(code_runs.c.thread == thread).order_by(code_runs.c.created_at)
        with reading(self._engine) as connection:
            return [_run(row) for row in connection.execute(found)]

    def get(self, thread: str, run: str) -> CodeRun:
        """Raises `NotFound`."""
        found = select(code_runs).where(code_runs.c.thread == thread, code_runs.c.id == run)
        with reading(self._engine) as connection:
            row = connection.execute(found).first()
        if row is None:
            raise NotFound("run.not_found")
        return _run(row)

    def artifact(self, thread: str, run: str, number: int) -> tuple[RunArtifact, Path]:
        """What a run made, and the file that holds its bytes. Raises `NotFound`."""
        for each in self.get(thread, run).artifacts:
            if each.number == number and each.kept:
                return each, self._of(thread) / run / str(number)
        raise NotFound("run.no_artifact")

    def keep(
        self,
        thread: str,
        *,
        message: str,
        block: int,
        language: str,
        code: str,
        execution: Execution,
        fetch: Callable[[str], Iterator[bytes]],
    ) -> CodeRun:
        """Keep a run in place of the block's earlier one; `fetch` reads a file of the session. Raises `NotFound` when
        the message has gone meanwhile.
        """
        run_id = f"r{uuid.uuid4().hex}"
        into = self._of(thread) / run_id
        into.mkdir(parents=True)
        try:
            artifacts, size = self._save(thread, into, execution.artifacts, fetch)
            outcome = {
                each.name: getattr(execution, each.name) for each in fields(Execution) if each.name != "artifacts"
            }
            for stream in ("stdout", "stderr"):
                outcome["truncated"] |= len(outcome[stream]) > LONGEST_OUTPUT
                outcome[stream] = outcome[stream][:LONGEST_OUTPUT]
            row = {
                "id": run_id,
                "thread": thread,
                "message": message,
                "block": block,
                "language": language,
                "code": code,
                "outcome": json.dumps(outcome, ensure_ascii=False),
                "artifacts": json.dumps([json.loads(to_json(each)) for each in artifacts], ensure_ascii=False),
                "bytes": size,
                "created_at": time.time(),
            }
            earlier = (code_runs.c.message == message) & (code_runs.c.block == block)
            with writing(self._engine) as connection:
                replaced = connection.execute(select(code_runs.c.id).where(earlier)).scalars().all()
                connection.execute(delete_from(code_runs).where(earlier))
                _insert(connection, row)
        except BaseException:
            shutil.rmtree(into, ignore_errors=True)
            raise
        for old in replaced:
            shutil.rmtree(self._of(thread) / old, ignore_errors=True)
        self._sweep(thread)
        return self.get(thread, run_id)

    def delete(self, thread: str, run: str) -> None:
        """A second time is no error."""
        with writing(self._engine) as connection:
            connection.execute(delete_from(code_runs).where(code_runs.c.thread == thread, code_runs.c.id == run))
        self._sweep(thread)

    def forget(self, thread: str) -> None:
        """Remove the files of a thread that is gone."""
        shutil.rmtree(self._of(thread), ignore_errors=True)

    def _of(self, thread: str) -> Path:
        return self._folder / thread / "runs"

    def _save(
        self, thread: str, into: Path, artifacts: Sequence[Artifact], fetch: Callable[[str], Iterator[bytes]]
    ) -> tuple[Sequence[RunArtifact], int]:
        used = select(func.coalesce(func.sum(code_runs.c.bytes), 0)).where(code_runs.c.thread == thread)
        with reading(self._engine) as connection:
            left = min(self._limits.of_run, self._limits.of_thread - int(connection.execute(used).scalar_one()))
        saved: Sequence[RunArtifact] = ()
        size = 0
        for number, artifact in enumerate(artifacts):
            kept = RunArtifact(
                number=number, kind=artifact.kind, name=artifact.name, mime=artifact.mime, size=artifact.size
            )
            try:
                pieces = fetch(artifact.name) if artifact.kind == "file" else iter((artifact.data,))
                written = _write(into / str(number), pieces, left - size)
            except ChatbotError as error:  # the code may have removed its own file, or its container
                log.info("the file %r of a run could not be read: %s", artifact.name, error)
                written = None
            size += written or 0
            saved = (*saved, kept if written is not None else replace(kept, kept=False))
        return saved, size

    def _sweep(self, thread: str) -> None:
        """Remove the files of runs that have gone with their message or were replaced."""
        known = {each.id for each in self.list(thread)}
        folder = self._of(thread)
        for path in folder.iterdir() if folder.is_dir() else ():
            if path.name not in known and path.stat().st_mtime < time.time() - 60:
                shutil.rmtree(path, ignore_errors=True)


def _insert(connection: Any, row: dict[str, object]) -> None:
    from sqlalchemy.exc import IntegrityError

    try:
        connection.execute(insert(code_runs).values(row))
    except IntegrityError:
        raise NotFound("run.answer_gone") from None


def _write(path: Path, pieces: Iterator[bytes], most: int) -> int | None:
    """How many bytes; None, and no file, when there are more than `most`."""
    size = 0
    with path.open("wb") as file:
        for piece in pieces:
            size += len(piece)
            if size > most:
                break
            file.write(piece)
    if size <= most:
        return size
    path.unlink()
    return None


def _run(row: Row[Any]) -> CodeRun:
    return CodeRun(
        id=row.id,
        message=row.message,
        block=row.block,
        language=row.language,
        code=row.code,
        artifacts=tuple(from_object(RunArtifact, each) for each in json.loads(row.artifacts)),
        created_at=datetime.fromtimestamp(row.created_at, UTC),
        **json.loads(row.outcome),
    )
