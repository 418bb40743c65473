"""Runs of code that stand in a conversation: how each ended and what it made, kept until the conversation goes."""

import json
import logging
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, Row, func, insert, select
from sqlalchemy import delete as delete_from

from devops_chatbot.code import CodeRun, RunArtifact
from devops_chatbot.conversations.tables import code_runs
from devops_chatbot.db.blobs import BlobStore
from devops_chatbot.db.transactions import reading, writing
from devops_chatbot.errors import ChatbotError, NotFound, StoreUnavailable, TooLarge
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

    def __init__(self, engine: Engine, blobs: BlobStore, limits: RunLimits | None = None) -> None:
        self._engine = engine
        self._blobs = blobs
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
            if each.number == number and each.kept and (path := self._blobs.path(f"{_below(thread, run)}/{number}")):
                return each, path
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
        try:
            artifacts, size = self._save(thread, _below(thread, run_id), execution.artifacts, fetch)
            outcome = json.loads(to_json(_shortened(execution)))
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
            self._blobs.delete(_below(thread, run_id))
            raise
        self._blobs.delete(*(_below(thread, old) for old in replaced))
        self._sweep(thread)
        return self.get(thread, run_id)

    def delete(self, thread: str, run: str) -> None:
        """A second time is no error."""
        with writing(self._engine) as connection:
            connection.execute(delete_from(code_runs).where(code_runs.c.thread == thread, code_runs.c.id == run))
        self._sweep(thread)

    def _save(
        self, thread: str, below: str, artifacts: Sequence[Artifact], fetch: Callable[[str], Iterator[bytes]]
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
                bounded = _Bounded(pieces, left - size)
                self._blobs.put([(f"{below}/{number}", bounded)])
                size += bounded.size
            except StoreUnavailable:
                raise
            except ChatbotError as error:  # too large, or the code has removed its own file, or its container
                log.info("the file %r of a run is not kept: %s", artifact.name, error)
                kept = replace(kept, kept=False)
            saved = (*saved, kept)
        return saved, size

    def _sweep(self, thread: str) -> None:
        """Remove the files of runs that have gone with their message or were replaced."""
        known = {each.id for each in self.list(thread)}
        for run in {key.split("/")[2] for key in self._blobs.keys_below(f"{thread}/runs")} - known:
            path = self._blobs.path(_below(thread, run))
            if path and path.stat().st_mtime < time.time() - 60:  # not one that is just being written down
                self._blobs.delete(_below(thread, run))


def _below(thread: str, run: str) -> str:
    """Where the files of a run lie among the blobs of conversations."""
    return f"{thread}/runs/{run}"


def _insert(connection: Any, row: dict[str, object]) -> None:
    from sqlalchemy.exc import IntegrityError

    try:
        connection.execute(insert(code_runs).values(row))
    except IntegrityError:
        raise NotFound("run.answer_gone") from None


class _Bounded:
    """Pieces of at most so many bytes in all, and then how many there were; more raise `TooLarge`."""

    def __init__(self, pieces: Iterator[bytes], most: int) -> None:
        self.size = 0
        self._pieces = pieces
        self._most = most

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self.size += len(piece)
            if self.size > self._most:
                raise TooLarge("run.no_artifact")
            yield piece


def _shortened(execution: Execution) -> Execution:
    """As much of it as is kept; what it made stands beside it."""
    streams = {name: getattr(execution, name)[:LONGEST_OUTPUT] for name in ("stdout", "stderr")}
    cut = streams != {name: getattr(execution, name) for name in streams}
    return replace(execution, **streams, truncated=execution.truncated or cut, artifacts=())


def _run(row: Row[Any]) -> CodeRun:
    kept = {name: getattr(row, name) for name in ("id", "message", "block", "language", "code")}
    outcome, made = json.loads(row.outcome), json.loads(row.artifacts)
    outcome["why"] = outcome["why"] or None  # an empty text in rows of an older version
    created_at = datetime.fromtimestamp(row.created_at, UTC)
    return from_object(CodeRun, {**outcome, **kept, "artifacts": made, "created_at": created_at})
