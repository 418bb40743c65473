"""Runs that change what a knowledge base holds: uploads, followed sources, documents read anew, another embedding model."""

import json
import logging
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from devops_chatbot.db.blobs import BlobStore
from devops_chatbot.errors import NotFound
from devops_chatbot.i18n import Reason
from devops_chatbot.runs import ActiveRun, Cancelled, Runs
from devops_chatbot.work import Progress, Run, RunState
from knowledge.catalog.catalog import Catalog
from knowledge.ingest.ingest import Ingest

EVERY_S = 0.5
"""How often a step says how far it is."""

_log = logging.getLogger(__name__)


class Learning:
    """Starts those runs, whose subject is the id of a knowledge base, and is their `RunHandler`.

    A run belongs to the owner of its knowledge base. `permitted` says, for the kinds of sources that need it, where a location
    leads, or raises. Raises `NotFound` without a knowledge base, and `StoreUnavailable`.
    """

    def __init__(
        self,
        runs: Runs,
        ingest: Ingest,
        catalog: Catalog,
        *,
        uploads: BlobStore,
        incoming: Path,
        permitted: Mapping[str, Callable[[str], str]] | None = None,
    ) -> None:
        self._runs = runs
        self._ingest = ingest
        self._catalog = catalog
        self._uploads = uploads
        self._incoming = incoming
        self._permitted = permitted or {}
        for kind in ("upload", "sync", "reindex", "reembed"):
            runs.register(kind, self)

    def new_upload(self) -> Path:
        """An empty folder for files that come in."""
        return Path(tempfile.mkdtemp(dir=self._incoming))

    def upload(self, knowledge_base: str, folder: Path, *, urgent: bool = False) -> Run:
        """Take in the files below a `new_upload` (archives are unpacked), which is gone after that; `urgent`: in front of what
        other knowledge bases wait for.
        """
        try:
            self._uploads.put([(folder.name, folder)])
            return self._start("upload", knowledge_base, {"upload": folder.name}, urgent=urgent)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            self._uploads.delete(folder.name)
            raise

    def follow(
        self, knowledge_base: str, location: str, *, kind: str = "folder", options: Mapping[str, object] | None = None
    ) -> Run:
        """Follow a source, and sync it. Raises `BadRequest`, and `NotAllowed` for one that the settings do not permit."""
        source = self._ingest.follow(knowledge_base, kind, self._located(kind, location), options)
        return self._start("sync", knowledge_base, {"source": source.id})

    def sync(self, knowledge_base: str, source: str) -> Run:
        """Take in what is new or changed in a source that is followed, remove documents that it has no longer. Raises like
        `follow`, and `NotFound`.
        """
        known = self._catalog.source(knowledge_base, source)
        self._located(known.kind, known.location)
        return self._start("sync", knowledge_base, {"source": source})

    def reindex(self, knowledge_base: str, documents: Sequence[str]) -> Run:
        """Read documents anew from their originals."""
        return self._start("reindex", knowledge_base, {"documents": list(documents)})

    def reembed(self, knowledge_base: str, embedding: str) -> Run:
        """Give a knowledge base another embedding model and all its documents new vectors."""
        return self._start("reembed", knowledge_base, {"embedding": embedding})

    def resume(self) -> None:
        """At the start of the process: put right what a crash left behind, read anew what is damaged, and go on with
        unfinished runs of every kind.
        """
        for knowledge_base, documents in self._ingest.damaged().items():
            _log.warning(
                "an index of %s is damaged or of an older release; its %d documents are read anew",
                knowledge_base,
                len(documents),
            )
            if documents:  # written down before the repair: a crash between the two must not lose it
                self._runs.add(
                    "reindex", knowledge_base, {"documents": documents}, owner=self._catalog.owner(knowledge_base)
                )
        self._ingest.repair()
        used = {run.payload["upload"] for run in self._runs.unfinished("upload")}
        self._uploads.delete(*({key.partition("/")[0] for key in self._uploads.keys_below()} - used))
        self._runs.resume()

    def _located(self, kind: str, location: str) -> str:
        return self._permitted[kind](location) if kind in self._permitted else location

    def _start(self, kind: str, knowledge_base: str, payload: Mapping[str, Any], *, urgent: bool = False) -> Run:
        owner = self._catalog.owner(knowledge_base)
        return self._runs.start(kind, knowledge_base, payload, owner=owner, urgent=urgent)

    # --- the handler

    def plan(self, run: ActiveRun) -> None:
        with self._unless_deleted(run):
            self._ingest.plan(run.id, run.subject, kind=run.kind, argument=self._argument(run))
        run.report(self._ingest.progress(run.id))

    def step(self, run: ActiveRun) -> bool:
        with self._unless_deleted(run):
            more = self._ingest.step(run.id, run.subject, stop=self._reporting(run))
        run.report(self._ingest.progress(run.id))
        return more

    def finish(self, run: ActiveRun) -> None:
        with self._unless_deleted(run):
            self._ingest.finish(run.id, run.subject, kind=run.kind, argument=self._argument(run), stop=run.stopping)

    def close(self, run: ActiveRun, state: RunState, reason: Reason | None) -> None:
        if run.kind == "upload":
            self._uploads.delete(run.payload["upload"])
        progress = self._ingest.progress(run.id)
        if progress != Progress(total=0):  # one that never began, or was cleared up already, left nothing
            if state != "done":
                self._ingest.abandon(run.id, run.subject, reason=reason)
            run.report(progress)
            self._ingest.forget(run.id)

    def _argument(self, run: ActiveRun) -> str:
        match run.kind:
            case "upload":
                if (files := self._uploads.path(run.payload["upload"])) is None:
                    raise NotFound("upload.gone")
                return str(files)
            case "sync":
                return str(run.payload["source"])
            case "reembed":
                return str(run.payload["embedding"])
            case _:
                return json.dumps(run.payload["documents"])

    def _reporting(self, run: ActiveRun) -> Callable[[], bool]:
        """Whether the run is to stop; who asks often sees to it that its progress is known."""
        due = time.monotonic() + EVERY_S

        def stopping() -> bool:
            nonlocal due
            if time.monotonic() > due:
                due = time.monotonic() + EVERY_S
                run.report(self._ingest.progress(run.id))
            return run.stopping()

        return stopping

    @contextmanager
    def _unless_deleted(self, run: ActiveRun) -> Iterator[None]:
        try:
            yield
        except NotFound:
            if self._ingest.deleted(run.subject):
                raise Cancelled(Reason("knowledge_base.deleted")) from None
            raise
