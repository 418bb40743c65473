"""The client of our API: one typed method a route, used by the web pages, the command line and other programs.

Results are the frozen values of the vocabulary, as the server has them.
An error of the server comes back as the class of `devops_chatbot.errors` that it was there; a server that cannot be
reached is `Unavailable`.
"""

from collections.abc import Generator, Mapping, Sequence
from typing import Any

import httpx

from devops_chatbot.calls import Approval, ApprovalState, ToolCall
from devops_chatbot.chat import EVENTS, Event, ScenarioState, SearchMode, Thread, ThreadSummary
from devops_chatbot.client.code import Bench
from devops_chatbot.client.connection import Connection, Download, Upload, quoted
from devops_chatbot.errors import ChatbotError
from devops_chatbot.i18n import Language
from devops_chatbot.schemas.body import body_of
from devops_chatbot.schemas.knowledge_bases import (
    KnowledgeBaseChange,
    NewEmbedding,
    NewKnowledgeBase,
    NewSamples,
    NewSource,
    Selection,
)
from devops_chatbot.schemas.models import RoleChange
from devops_chatbot.schemas.search import SearchRequest
from devops_chatbot.schemas.threads import NewMessage, NewThread, ThreadChange
from devops_chatbot.schemas.tools import NewDecision, ToolTest
from devops_chatbot.status import EmbeddingInfo, ModelList, Readiness, SettingsInForce, Trial
from devops_chatbot.tools import ToolsetInfo
from devops_chatbot.values import Page, from_json
from devops_chatbot.work import Run, StartedRun
from knowledge.model import (
    Document,
    DocumentOrder,
    DocumentState,
    KnowledgeBase,
    OpenedChunk,
    Samples,
    SearchResult,
    Source,
    StoredChunk,
)

__all__ = ["Client", "Download", "Upload"]


class Client(Connection):
    """Speaks to one server. Safe for use from several threads; close it, or use it in a `with` block."""

    # --- health and settings

    def alive(self) -> bool:
        """True when a server answers; never raises."""
        try:
            with self.translated():
                return self.http.get("/healthz").is_success
        except ChatbotError:
            return False

    def readiness(self) -> Readiness:
        """Each thing the server needs with its state; does not raise when the server says "not ready"."""
        with self.translated():
            response = self.http.get("/readyz")
        if response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            self.check(response)
        return from_json(Readiness, response.content)

    def settings(self) -> SettingsInForce:
        return self.get(SettingsInForce, "/settings")

    # --- models, embeddings, scenarios

    def models(self) -> ModelList:
        return self.get(ModelList, "/models")

    def test_model(self, name: str) -> Trial:
        """One real call of a language model."""
        return self.got(Trial, self.send("POST", f"/models/{quoted(name)}/test"))

    def assign_role(self, role: str, models: Sequence[str]) -> ModelList:
        """From now on `role` is done by these models, the first reachable one first; survives a restart."""
        return self.got(
            ModelList,
            self.send("PUT", f"/models/roles/{quoted(role)}", body=body_of(RoleChange, models=tuple(models))),
        )

    def embeddings(self) -> list[EmbeddingInfo]:
        return self.rows(EmbeddingInfo, "/embeddings")

    def test_embedding(self, name: str) -> Trial:
        return self.got(Trial, self.send("POST", f"/embeddings/{quoted(name)}/test"))

    def reset_role(self, role: str) -> ModelList:
        """Let a role be done as the settings say."""
        return self.got(ModelList, self.send("DELETE", f"/models/roles/{quoted(role)}"))

    def test_check(self, name: str) -> Trial:
        """Really use a thing that readiness names."""
        return self.got(Trial, self.send("POST", f"/checks/{quoted(name)}/test"))

    def scenarios(self) -> list[ScenarioState]:
        return self.rows(ScenarioState, "/scenarios")

    def scenario_schema(self) -> dict[str, Any]:
        """The JSON Schema of a scenario's file."""
        return self.get(dict[str, Any], "/scenarios/schema")

    # --- tools, and calls that wait for a person

    def tools(self) -> list[ToolsetInfo]:
        return self.rows(ToolsetInfo, "/tools")

    def test_tool(self, name: str, arguments: Mapping[str, object]) -> ToolCall:
        """Call a tool that only reads."""
        body = body_of(ToolTest, arguments=dict(arguments))
        return self.got(ToolCall, self.send("POST", f"/tools/{quoted(name)}/test", body=body))

    def approvals(self, *, state: ApprovalState | None = None, thread: str | None = None) -> list[Approval]:
        """Newest first."""
        return self.rows(Approval, "/approvals", state=state, thread=thread)

    def approval(self, approval_id: str) -> Approval:
        return self.get(Approval, f"/approvals/{quoted(approval_id)}")

    def decide(self, approval_id: str, decision: NewDecision) -> Approval:
        """Approve or deny; the question goes on by itself, which `thread_events` follows."""
        return self.got(Approval, self.send("POST", f"/approvals/{quoted(approval_id)}", body=decision))

    # --- knowledge bases and their documents; `kb` is an id or a name

    def knowledge_bases(self) -> list[KnowledgeBase]:
        return self.rows(KnowledgeBase, "/knowledge-bases")

    def knowledge_base(self, kb: str) -> KnowledgeBase:
        return self.get(KnowledgeBase, self._kb(kb))

    def create_knowledge_base(self, name: str, *, description: str = "", embedding: str | None = None) -> KnowledgeBase:
        body = body_of(NewKnowledgeBase, name=name, description=description, embedding=embedding)
        return self.got(KnowledgeBase, self.send("POST", "/knowledge-bases", body=body))

    def change_knowledge_base(
        self, kb: str, *, name: str | None = None, description: str | None = None
    ) -> KnowledgeBase:
        body = body_of(KnowledgeBaseChange, name=name, description=description)
        return self.got(KnowledgeBase, self.send("PATCH", self._kb(kb), body=body))

    def delete_knowledge_base(self, kb: str) -> None:
        self.send("DELETE", self._kb(kb))

    def upload(self, kb: str, files: Sequence[Upload]) -> Run:
        """Send files (archives too) and start taking them in; returns at once with the run."""
        return self.got(StartedRun, self.send_files(f"{self._kb(kb)}/documents", files)).run

    def documents(
        self,
        kb: str,
        *,
        state: DocumentState | None = None,
        text: str | None = None,
        sort: DocumentOrder = "source_uri",
        descending: bool = False,
        offset: int = 0,
        limit: int = 100,
    ) -> Page[Document]:
        """The file table; `text` is looked for in names and titles."""
        return self.get(
            Page[Document], f"{self._kb(kb)}/documents",
            state=state, text=text, sort=sort, descending=descending, offset=offset, limit=limit,
        )  # fmt: skip

    def document(self, kb: str, document: str) -> Document:
        return self.get(Document, f"{self._kb(kb)}/documents/{quoted(document)}")

    def chunks(self, kb: str, document: str) -> list[StoredChunk]:
        return self.rows(StoredChunk, f"{self._kb(kb)}/documents/{quoted(document)}/chunks")

    def delete_document(self, kb: str, document: str) -> None:
        self.send("DELETE", f"{self._kb(kb)}/documents/{quoted(document)}")

    def delete_documents(self, kb: str, documents: Sequence[str]) -> None:
        self.send("POST", f"{self._kb(kb)}/documents/delete", body=body_of(Selection, ids=tuple(documents)))

    def reembed(self, kb: str, embedding: str) -> Run:
        """Give a knowledge base another embedding model."""
        body = body_of(NewEmbedding, embedding=embedding)
        return self.got(StartedRun, self.send("PUT", f"{self._kb(kb)}/embedding", body=body)).run

    def reindex(self, kb: str, documents: Sequence[str]) -> Run:
        """Read these documents anew from the originals that the server keeps."""
        body = body_of(Selection, ids=tuple(documents))
        return self.got(StartedRun, self.send("POST", f"{self._kb(kb)}/documents/reindex", body=body)).run

    def download(self, kb: str, document: str) -> Download:
        """The original file."""
        response = self.send("GET", f"{self._kb(kb)}/documents/{quoted(document)}/original")
        return Download.of(response, otherwise=document)

    def download_many(self, kb: str, documents: Sequence[str]) -> Download:
        """The originals of several documents in a zip."""
        body = body_of(Selection, ids=tuple(documents))
        return Download.of(
            self.send("POST", f"{self._kb(kb)}/documents/download", body=body), otherwise="documents.zip"
        )

    def sources(self, kb: str) -> list[Source]:
        """What a knowledge base follows."""
        return self.rows(Source, f"{self._kb(kb)}/sources")

    def follow(
        self, kb: str, location: str, *, kind: str = "folder", options: Mapping[str, object] | None = None
    ) -> Run:
        """Follow a source, such as a folder of the server's machine, and sync it."""
        body = body_of(NewSource, kind=kind, location=location, options=options or {})
        return self.got(StartedRun, self.send("POST", f"{self._kb(kb)}/sources", body=body)).run

    def sync(self, kb: str, source: str) -> Run:
        """Take in what has changed in a source that is followed."""
        return self.got(StartedRun, self.send("POST", f"{self._kb(kb)}/sources/{quoted(source)}/sync")).run

    def forget_source(self, kb: str, source: str) -> None:
        """Follow a source no longer; its documents stay."""
        self.send("DELETE", f"{self._kb(kb)}/sources/{quoted(source)}")

    def samples(self) -> Samples:
        return self.get(Samples, "/samples")

    def build_samples(self, language: Language = "en") -> Run:
        """Build the sample knowledge base, named in this language, or bring it up to date."""
        return self.got(StartedRun, self.send("POST", "/samples", body=body_of(NewSamples, language=language))).run

    # --- runs

    def runs(self, *, knowledge_base: str | None = None) -> list[Run]:
        """Newest first."""
        return self.rows(Run, "/runs", knowledge_base=knowledge_base)

    def run(self, run_id: str) -> Run:
        return self.get(Run, f"/runs/{quoted(run_id)}")

    def cancel_run(self, run_id: str) -> Run:
        """Stop a run; what it has taken in stays."""
        return self.got(Run, self.send("DELETE", f"/runs/{quoted(run_id)}"))

    def run_events(self, run_id: str) -> Generator[Run]:
        """The run now and after each change, until it has ended."""
        return self.events("GET", f"/runs/{quoted(run_id)}/events", {"run": Run})

    # --- search and chunks

    def suggestions(self, knowledge_bases: Sequence[str] = (), *, language: Language = "en") -> tuple[str, ...]:
        """A few questions that can be asked of these knowledge bases; of all when none is named."""
        return self.get(tuple[str, ...], "/suggestions", knowledge_bases=tuple(knowledge_bases), language=language)

    def search(
        self,
        query: str,
        *,
        knowledge_bases: Sequence[str] = (),
        mode: SearchMode = "hybrid",
        limit: int = 10,
        score_threshold: float = 0.0,
    ) -> SearchResult:
        body = body_of(
            SearchRequest,
            query=query,
            knowledge_bases=tuple(knowledge_bases),
            mode=mode,
            limit=limit,
            score_threshold=score_threshold,
        )
        return self.got(SearchResult, self.send("POST", "/search", body=body))

    def chunk(self, ref: str, quote: str = "", heading_path: Sequence[str] = ()) -> OpenedChunk:
        """Open a citation: the chunk in its surroundings."""
        return self.get(OpenedChunk, "/chunks", ref=ref, quote=quote, heading=tuple(heading_path))

    # --- conversations

    def threads(self, *, offset: int = 0, limit: int = 50, text: str | None = None) -> Page[ThreadSummary]:
        """Newest first; `text` is looked for in titles and messages."""
        return self.get(Page[ThreadSummary], "/threads", offset=offset, limit=limit, text=text)

    def create_thread(self, title: str = "") -> ThreadSummary:
        return self.got(ThreadSummary, self.send("POST", "/threads", body=body_of(NewThread, title=title)))

    def thread(self, thread_id: str) -> Thread:
        """A conversation with all its messages."""
        return self.get(Thread, f"/threads/{quoted(thread_id)}")

    def rename_thread(self, thread_id: str, title: str) -> ThreadSummary:
        body = body_of(ThreadChange, title=title)
        return self.got(ThreadSummary, self.send("PATCH", f"/threads/{quoted(thread_id)}", body=body))

    def delete_thread(self, thread_id: str) -> None:
        self.send("DELETE", f"/threads/{quoted(thread_id)}")

    def ask(self, thread_id: str, message: NewMessage) -> Generator[Event]:
        """The events of one question; the last is an `Answer` or a `Failure`. Closing the generator stops the work."""
        return self.events("POST", f"/threads/{quoted(thread_id)}/messages", EVENTS, body=message)

    def thread_events(self, thread_id: str) -> Generator[Event]:
        """The events of an answer that goes on after an approval, from where it went on. Raises `NotFound` when none does."""
        return self.events("GET", f"/threads/{quoted(thread_id)}/events", EVENTS)

    def stop(self, thread_id: str) -> bool:
        """Stop whatever this thread is answering, from anywhere; False when it was idle. What was said is kept."""
        return bool(self.send("POST", f"/threads/{quoted(thread_id)}/stop").json()["stopped"])

    @property
    def bench(self) -> Bench:
        """What conversations work with: code, files, the sandbox."""
        return Bench(self)

    def _kb(self, kb: str) -> str:
        """The path of a knowledge base; a name with a slash cannot stand in a path and is looked up."""
        if "/" in kb:
            kb = next((base.id for base in self.knowledge_bases() if base.name == kb), kb.replace("/", " "))
        return f"/knowledge-bases/{quoted(kb)}"
