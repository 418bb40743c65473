"""Files attached to a conversation: their bytes for the sandbox, their text for the retriever of this thread only."""

import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, Row, insert, select, update
from sqlalchemy import delete as delete_from

from devops_chatbot.code import Attachment, AttachmentState
from devops_chatbot.conversations.tables import attachments, knowledge_of, threads_table
from devops_chatbot.db.blobs import BlobStore
from devops_chatbot.db.transactions import reading, writing
from devops_chatbot.errors import BadRequest, NotFound, TooLarge
from devops_chatbot.i18n import Reason
from devops_chatbot.learning import Learning
from devops_chatbot.runs import Runs
from devops_chatbot.work import Run
from knowledge.catalog.catalog import Catalog
from knowledge.ingest.ingest import Ingest
from knowledge.model import Document
from knowledge.sources.archives import is_archive

MEGABYTE = 1 << 20
PIECE = 1 << 18
LONGEST_NAME = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentLimits:
    """How many bytes one file, and all files of a conversation, may have."""

    of_file: int = 32 * MEGABYTE
    of_thread: int = 96 * MEGABYTE


class Attachments:
    """Keeps files and has them read into a hidden knowledge base a thread, made with the first file.

    Safe for concurrent use. Raises `StoreUnavailable`.
    """

    def __init__(
        self,
        engine: Engine,
        blobs: BlobStore,
        *,
        catalog: Catalog,
        ingest: Ingest,
        runs: Runs,
        learning: Learning,
        embedding: str,
        limits: AttachmentLimits,
    ) -> None:
        self._engine = engine
        self._blobs = blobs
        self._catalog = catalog
        self._ingest = ingest
        self._runs = runs
        self._learning = learning
        self._embedding = embedding
        self._limits = limits

    @property
    def limits(self) -> AttachmentLimits:
        return self._limits

    def list(self, thread: str) -> Sequence[Attachment]:
        """Oldest first."""
        found = select(attachments).where(attachments.c.thread == thread).order_by(attachments.c.created_at)
        with reading(self._engine) as connection:
            rows = connection.execute(found).all()
        base = self.knowledge_base(thread) if rows else None
        return [self._attachment(row, base) for row in rows]

    def get(self, thread: str, attachment: str) -> tuple[Attachment, Path]:
        """One of them, and the file that holds its bytes. Raises `NotFound`."""
        for each in self.list(thread):
            if each.id == attachment and (path := self._blobs.path(_key(thread, attachment))):
                return each, path
        raise NotFound("attachment.not_found")

    def add(self, thread: str, files: Sequence[Path]) -> Sequence[Attachment]:
        """Attach these files (of which copies are kept) under their own names; one of a known name replaces that.

        Raises `BadRequest` for a name, `TooLarge`, and attaches nothing then.
        """
        self._check(thread, files)
        base = self.knowledge_base(thread) or self._new_knowledge_base(thread)
        known = {each.name: each.id for each in self.list(thread)}
        texts = [file for file in files if not is_archive(file.name)]
        run = self._read(base, texts).id if texts else None
        ids = []
        for file in files:
            row = {
                "id": known.get(file.name) or f"a{uuid.uuid4().hex}",
                "thread": thread,
                "name": file.name,
                "bytes": file.stat().st_size,
                "run": run if file in texts else None,
                "created_at": time.time(),
            }
            ids.append(row["id"])
            self._blobs.put([(_key(thread, str(row["id"])), pieces_of(file))])
            with writing(self._engine) as connection:
                if file.name in known:
                    connection.execute(update(attachments).where(attachments.c.id == row["id"]).values(row))
                else:
                    connection.execute(insert(attachments).values(row))
        return [each for each in self.list(thread) if each.id in ids]

    def remove(self, thread: str, attachment: str) -> str:
        """Neither code nor questions see it any more; returns its name. Raises `NotFound`."""
        found, _ = self.get(thread, attachment)
        base = self.knowledge_base(thread)
        document = self._document(base, found.name) if base else None
        if base and document:
            self._ingest.remove_document(base, document.id)
        with writing(self._engine) as connection:
            connection.execute(delete_from(attachments).where(attachments.c.id == attachment))
        self._blobs.delete(_key(thread, attachment))
        return found.name

    def knowledge_base(self, thread: str) -> str | None:
        """The id of the hidden knowledge base in which this thread's files are found; None while it has none."""
        known = knowledge_of.c
        with reading(self._engine) as connection:
            found = connection.execute(select(known.knowledge_base).where(known.thread == thread)).scalar()
        return str(found) if found else None

    def forget(self, thread: str) -> None:
        """Remove everything of a thread that is gone."""
        base = self.knowledge_base(thread)
        if base is not None:
            if self._catalog.exists(base):
                self._ingest.drop_knowledge_base(base)
            with writing(self._engine) as connection:
                connection.execute(delete_from(knowledge_of).where(knowledge_of.c.thread == thread))

    def threads(self) -> set[str]:
        """The threads that have a hidden knowledge base, living or not."""
        with reading(self._engine) as connection:
            return set(connection.execute(select(knowledge_of.c.thread)).scalars())

    def _check(self, thread: str, files: Sequence[Path]) -> None:
        sizes = {each.name: each.bytes for each in self.list(thread)}
        for file in files:
            name, size = file.name, file.stat().st_size
            if len(name) > LONGEST_NAME or name.startswith(".") or any(ord(letter) < 32 for letter in name):
                raise BadRequest("attachment.bad_name", name=name, longest=LONGEST_NAME)
            if size > self._limits.of_file:
                raise TooLarge(
                    "attachment.too_large", name=name, mb=size / MEGABYTE, most_mb=self._limits.of_file // MEGABYTE
                )
            sizes[name] = size
        if sum(sizes.values()) > self._limits.of_thread:
            raise TooLarge(
                "attachment.thread_full", mb=sum(sizes.values()) / MEGABYTE, most_mb=self._limits.of_thread // MEGABYTE
            )

    def _new_knowledge_base(self, thread: str) -> str:
        with reading(self._engine) as connection:
            owner = connection.execute(select(threads_table.c.owner).where(threads_table.c.id == thread)).scalar_one()
        base = self._catalog.create(thread, embedding=self._embedding, hidden=True, owner=owner)
        with writing(self._engine) as connection:
            connection.execute(insert(knowledge_of).values(thread=thread, knowledge_base=base.id))
        return base.id

    def _read(self, base: str, files: Sequence[Path]) -> Run:
        staged = self._learning.new_upload()
        for file in files:
            shutil.copyfile(file, staged / file.name)
        return self._learning.upload(base, staged, urgent=True)

    def _attachment(self, row: Row[Any], base: str | None) -> Attachment:
        state, why = self._state(row, base)
        created_at = datetime.fromtimestamp(row.created_at, UTC)
        return Attachment(id=row.id, name=row.name, bytes=row.bytes, state=state, why=why, created_at=created_at)

    def _state(self, row: Row[Any], base: str | None) -> tuple[AttachmentState, Reason | None]:
        if row.run is None or base is None:
            return "code only", Reason("attachment.archive")
        document = self._document(base, row.name)
        try:
            run = self._runs.get(row.run)
        except NotFound:  # long ago
            run = None
        if run is not None and not run.ended:
            return "reading", None
        if document is not None and document.state == "ready" and document.chunks:
            return "ready", None
        if document is not None and document.error:
            return "code only", document.error
        return "code only", (run.error if run else None) or Reason("attachment.nothing_found")

    def _document(self, base: str, name: str) -> Document | None:
        rows = self._catalog.documents(base, text=name, limit=1000).items
        return next((row for row in rows if row.source_uri == name), None)


def pieces_of(path: Path) -> Iterator[bytes]:
    """The bytes of a file, a piece at a time."""
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece


def _key(thread: str, attachment: str) -> str:
    return f"{thread}/attachments/{attachment}"
