"""The client of our API: one typed method a route, used by the web pages, the command line and other programs.

Results are the frozen models of `devops_chatbot.schemas.wire`; the events of a question are those of `devops_chatbot.chat`.
An error of the server comes back as the class of `devops_chatbot.errors` that it was there; a server that cannot be
reached is `Unavailable`.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Literal, TypeVar, cast
from urllib.parse import quote

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from devops_chatbot.chat import Event, SearchMode
from devops_chatbot.client.code import Bench, Download, Upload, failed
from devops_chatbot.client.outgoing import FileOnDemand
from devops_chatbot.errors import BadRequest, ChatbotError, Unavailable, error_of
from devops_chatbot.i18n import Language, Reason
from devops_chatbot.schemas import NATIVE, wire
from devops_chatbot.schemas.taken import body_of
from devops_chatbot.values import from_json, from_page

__all__ = ["Client", "Download", "Upload"]

UPLOAD_TIMEOUT_S = 600

T = TypeVar("T")


class Client:
    """Speaks to one server. Safe for use from several threads; close it, or use it in a `with` block."""

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        language: Language = "en",
        timeout_s: float = 60,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Raises `BadRequest` for a URL that is none."""
        headers = {"Accept-Language": language} | ({"Authorization": f"Bearer {key}"} if key else {})
        self.url = url.rstrip("/")
        try:
            self._http = httpx.Client(
                base_url=self.url, headers=headers, timeout=timeout_s, transport=transport, trust_env=False
            )
        except httpx.InvalidURL as wrong:
            raise BadRequest("client.bad_address", url=self.url, error=wrong) from None

    @property
    def http(self) -> httpx.Client:
        """The connection itself, for clients of single routes that are written elsewhere."""
        return self._http

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- health and settings

    def alive(self) -> bool:
        """True when a server answers; never raises."""
        try:
            with self._translated():
                return self._http.get("/healthz").is_success
        except ChatbotError:
            return False

    def readiness(self) -> wire.Readiness:
        """Each thing the server needs with its state; does not raise when the server says "not ready"."""
        with self._translated():
            response = self._http.get("/readyz")
        if response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            self._check(response)
        return wire.Readiness.model_validate_json(response.content)

    def settings(self) -> wire.SettingsInForce:
        return self.get(wire.SettingsInForce, "/settings")

    # --- models, embeddings, scenarios

    def models(self) -> wire.Models:
        return self.get(wire.Models, "/models")

    def test_model(self, name: str) -> wire.Test:
        """One real call of a language model."""
        return self.got(wire.Test, self.send("POST", f"/models/{_quoted(name)}/test"))

    def assign_role(self, role: str, models: Sequence[str]) -> wire.Models:
        """From now on `role` is done by these models, the first reachable one first; survives a restart."""
        return self.got(
            wire.Models,
            self.send("PUT", f"/models/roles/{_quoted(role)}", body=body_of(wire.RoleChange, models=tuple(models))),
        )

    def embeddings(self) -> list[wire.EmbeddingInfo]:
        return self.rows(wire.EmbeddingInfo, "/embeddings")

    def test_embedding(self, name: str) -> wire.Test:
        return self.got(wire.Test, self.send("POST", f"/embeddings/{_quoted(name)}/test"))

    def reset_role(self, role: str) -> wire.Models:
        """Let a role be done as the settings say."""
        return self.got(wire.Models, self.send("DELETE", f"/models/roles/{_quoted(role)}"))

    def test_check(self, name: str) -> wire.Test:
        """Really use a thing that readiness names."""
        return self.got(wire.Test, self.send("POST", f"/checks/{_quoted(name)}/test"))

    def scenarios(self) -> list[wire.Scenario]:
        return self.rows(wire.Scenario, "/scenarios")

    # --- knowledge bases and their documents; `kb` is an id or a name

    def knowledge_bases(self) -> list[wire.KnowledgeBase]:
        return self.rows(wire.KnowledgeBase, "/knowledge-bases")

    def knowledge_base(self, kb: str) -> wire.KnowledgeBase:
        return self.get(wire.KnowledgeBase, self._kb(kb))

    def create_knowledge_base(
        self, name: str, *, description: str = "", embedding: str | None = None
    ) -> wire.KnowledgeBase:
        body = body_of(wire.NewKnowledgeBase, name=name, description=description, embedding=embedding)
        return self.got(wire.KnowledgeBase, self.send("POST", "/knowledge-bases", body=body))

    def change_knowledge_base(
        self, kb: str, *, name: str | None = None, description: str | None = None
    ) -> wire.KnowledgeBase:
        body = body_of(wire.KnowledgeBaseChange, name=name, description=description)
        return self.got(wire.KnowledgeBase, self.send("PATCH", self._kb(kb), body=body))

    def delete_knowledge_base(self, kb: str) -> None:
        self.send("DELETE", self._kb(kb))

    def upload(self, kb: str, files: Sequence[Upload]) -> wire.Job:
        """Send files (archives too) and start taking them in; returns at once with the job."""
        return self.got(wire.StartedJob, self.send_files(f"{self._kb(kb)}/documents", files)).job

    def documents(
        self,
        kb: str,
        *,
        state: wire.DocumentState | None = None,
        text: str | None = None,
        offset: int = 0,
        limit: int = 100,
    ) -> wire.Page[wire.Document]:
        """The file table; `text` is looked for in names and titles."""
        return self.get(
            wire.Page[wire.Document], f"{self._kb(kb)}/documents", state=state, text=text, offset=offset, limit=limit
        )

    def document(self, kb: str, document: str) -> wire.Document:
        return self.get(wire.Document, f"{self._kb(kb)}/documents/{_quoted(document)}")

    def chunks(self, kb: str, document: str) -> list[wire.Passage]:
        return self.rows(wire.Passage, f"{self._kb(kb)}/documents/{_quoted(document)}/chunks")

    def delete_document(self, kb: str, document: str) -> None:
        self.send("DELETE", f"{self._kb(kb)}/documents/{_quoted(document)}")

    def delete_documents(self, kb: str, documents: Sequence[str]) -> None:
        self.send("POST", f"{self._kb(kb)}/documents/delete", body=body_of(wire.Selection, ids=tuple(documents)))

    def reindex(self, kb: str, documents: Sequence[str]) -> wire.Job:
        """Read these documents anew from the originals that the server keeps."""
        body = body_of(wire.Selection, ids=tuple(documents))
        return self.got(wire.StartedJob, self.send("POST", f"{self._kb(kb)}/documents/reindex", body=body)).job

    def download(self, kb: str, document: str) -> Download:
        """The original file."""
        response = self.send("GET", f"{self._kb(kb)}/documents/{_quoted(document)}/original")
        return Download.of(response, otherwise=document)

    def download_many(self, kb: str, documents: Sequence[str]) -> Download:
        """The originals of several documents in a zip."""
        body = body_of(wire.Selection, ids=tuple(documents))
        return Download.of(
            self.send("POST", f"{self._kb(kb)}/documents/download", body=body), otherwise="documents.zip"
        )

    def forget_source(self, kb: str, location: str) -> None:
        """Follow a folder no longer; its documents stay."""
        self.send("DELETE", f"{self._kb(kb)}/sources", query={"location": location})

    def sources(self, kb: str) -> list[wire.Source]:
        """The folders that a knowledge base follows."""
        return self.rows(wire.Source, f"{self._kb(kb)}/sources")

    def add_folder(self, kb: str, location: str) -> wire.Job:
        """Follow a folder of the server's machine, or sync it again."""
        body = body_of(wire.NewSource, location=location)
        return self.got(wire.StartedJob, self.send("POST", f"{self._kb(kb)}/sources", body=body)).job

    def samples(self) -> wire.Samples:
        return self.get(wire.Samples, "/samples")

    def build_samples(self, language: Literal["en", "zh"] = "en") -> wire.Job:
        """Build the sample knowledge base, named in this language, or bring it up to date."""
        return self.got(
            wire.StartedJob, self.send("POST", "/samples", body=body_of(wire.NewSamples, language=language))
        ).job

    # --- jobs

    def jobs(self, *, knowledge_base: str | None = None) -> list[wire.Job]:
        """Newest first."""
        return self.rows(wire.Job, "/jobs", knowledge_base=knowledge_base)

    def job(self, job_id: str) -> wire.Job:
        return self.get(wire.Job, f"/jobs/{_quoted(job_id)}")

    def cancel_job(self, job_id: str) -> wire.Job:
        """Stop a job; what it has taken in stays."""
        return self.got(wire.Job, self.send("DELETE", f"/jobs/{_quoted(job_id)}"))

    def job_events(self, job_id: str) -> Generator[wire.Job]:
        """The job now and after each change, until it has ended."""
        with self.stream("GET", f"/jobs/{_quoted(job_id)}/events") as events:
            for name, data in events:
                if name == "job":
                    yield wire.Job.model_validate_json(data)
                elif name == "failure":
                    raise failed(data)

    # --- search and passages

    def search(
        self,
        query: str,
        *,
        knowledge_bases: Sequence[str] = (),
        mode: SearchMode = "hybrid",
        limit: int = 10,
        score_threshold: float = 0.0,
    ) -> wire.SearchResult:
        body = body_of(
            wire.SearchRequest,
            query=query,
            knowledge_bases=tuple(knowledge_bases),
            mode=mode,
            limit=limit,
            score_threshold=score_threshold,
        )
        return self.got(wire.SearchResult, self.send("POST", "/search", body=body))

    def passage(self, ref: str, quote: str = "") -> wire.OpenedPassage:
        """Open a citation: the passage in its surroundings."""
        return self.get(wire.OpenedPassage, "/passages", ref=ref, quote=quote)

    # --- conversations

    def threads(self, *, offset: int = 0, limit: int = 50, text: str | None = None) -> wire.Page[wire.ThreadSummary]:
        """Newest first; `text` is looked for in titles and messages."""
        return self.get(wire.Page[wire.ThreadSummary], "/threads", offset=offset, limit=limit, text=text)

    def create_thread(self, title: str = "") -> wire.ThreadSummary:
        return self.got(wire.ThreadSummary, self.send("POST", "/threads", body=body_of(wire.NewThread, title=title)))

    def thread(self, thread_id: str) -> wire.Thread:
        """A conversation with all its messages."""
        return self.get(wire.Thread, f"/threads/{_quoted(thread_id)}")

    def rename_thread(self, thread_id: str, title: str) -> wire.ThreadSummary:
        body = body_of(wire.ThreadChange, title=title)
        return self.got(wire.ThreadSummary, self.send("PATCH", f"/threads/{_quoted(thread_id)}", body=body))

    def delete_thread(self, thread_id: str) -> None:
        self.send("DELETE", f"/threads/{_quoted(thread_id)}")

    def ask(self, thread_id: str, message: wire.NewMessage) -> Generator[Event]:
        """The events of one question; the last is an `Answer` or a `Failure`. Closing the generator stops the work."""
        with self.stream("POST", f"/threads/{_quoted(thread_id)}/messages", body=message) as events:
            for name, data in events:
                if name in wire.EVENTS:  # a newer server may say more than we know
                    yield _adapter(name).validate_json(data)

    def stop(self, thread_id: str) -> bool:
        """Stop whatever this thread is answering, from anywhere; False when it was idle. What was said is kept."""
        return bool(self.send("POST", f"/threads/{_quoted(thread_id)}/stop").json()["stopped"])

    @property
    def bench(self) -> Bench:
        """What conversations work with: code, files, the sandbox."""
        return Bench(self)

    # --- the way there and back

    def _kb(self, kb: str) -> str:
        """The path of a knowledge base; a name with a slash cannot stand in a path and is looked up."""
        if "/" in kb:
            kb = next((base.id for base in self.knowledge_bases() if base.name == kb), kb.replace("/", " "))
        return f"/knowledge-bases/{_quoted(kb)}"

    def send(
        self,
        method: str,
        path: str,
        *,
        body: BaseModel | None = None,
        query: Mapping[str, str | int | None] | None = None,
    ) -> httpx.Response:
        given = {name: value for name, value in (query or {}).items() if value is not None}
        content = body.model_dump_json(exclude_unset=True) if body is not None else None
        headers = {"Content-Type": "application/json"} if body is not None else None
        with self._translated():
            response = self._http.request(method, NATIVE + path, content=content, headers=headers, params=given or None)
        return self._check(response)

    def send_files(self, path: str, files: Sequence[Upload]) -> httpx.Response:
        """A multipart upload. Raises `BadRequest` when there is nothing to send."""
        if not files:
            raise BadRequest("client.no_files")
        named = ((file.name, file) if isinstance(file, Path) else file for file in files)
        parts = [
            ("files", (name, cast(BinaryIO, FileOnDemand(content)) if isinstance(content, Path) else content))
            for name, content in named
        ]
        with self._translated():
            response = self._http.post(NATIVE + path, files=parts, timeout=UPLOAD_TIMEOUT_S)
        return self._check(response)

    def get(self, kind: type[T], path: str, **query: str | int | None) -> T:
        return self.got(kind, self.send("GET", path, query=query))

    def rows(self, kind: type[T], path: str, **query: str | int | None) -> list[T]:
        return from_page(kind, self.send("GET", path, query=query).content)

    @staticmethod
    def got(kind: type[T], response: httpx.Response) -> T:
        return from_json(kind, response.content)

    @contextmanager
    def stream(self, method: str, path: str, *, body: BaseModel | None = None) -> Iterator[Iterator[tuple[str, str]]]:
        import httpx_sse

        content = body.model_dump_json(exclude_unset=True) if body is not None else None
        headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
        timeout = httpx.Timeout(self._http.timeout.connect, read=None)  # the server says when nothing more will come
        with (
            self._translated(),
            self._http.stream(method, NATIVE + path, content=content, headers=headers, timeout=timeout) as response,
        ):
            if not response.is_success:
                response.read()
                self._check(response)
            yield ((event.event, event.data) for event in httpx_sse.EventSource(response).iter_sse())

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except httpx.UnsupportedProtocol:
            raise BadRequest("client.not_http", url=self.url) from None
        except httpx.ConnectError:
            raise Unavailable("client.no_server", url=self.url) from None
        except httpx.TimeoutException:
            raise Unavailable("client.too_slow", url=self.url) from None
        except httpx.TransportError as error:
            raise Unavailable("client.broke_off", url=self.url, error=error) from None

    @staticmethod
    def _check(response: httpx.Response) -> httpx.Response:
        if response.is_success:
            return response
        try:
            problem = wire.Problem.model_validate_json(response.content)
        except ValidationError:  # not a server of ours
            status = f"{response.status_code} {response.reason_phrase}".strip()
            raise ChatbotError("client.strange_answer", url=response.request.url, status=status) from None
        said = {"code": problem.code, "params": problem.params, "text": problem.detail}
        raise error_of(problem.error, Reason.parse(said))


@cache
def _adapter(name: str) -> TypeAdapter[Event]:
    return TypeAdapter(wire.EVENTS[name])


def _quoted(part: str) -> str:
    return quote(part, safe="", errors="replace")
