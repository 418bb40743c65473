"""Puts the product together: the only place that names concrete classes."""

import dataclasses
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from agents.dispatch import ApprovedCalls, Dispatch
from agents.docs import DocsAgent
from agents.scenarios import SCENARIOS
from agents.tool_output import BlobOutputs, ToolOutput
from agents.toolbox import Toolbox, toolset_kinds
from agents.tools import ToolAgent
from devops_chatbot.access.principals import Principal
from devops_chatbot.answer.extractive import ExtractiveWriter
from devops_chatbot.chat import Agent
from devops_chatbot.config.data_directory import DataDirectory
from devops_chatbot.config.in_force import secrets_of
from devops_chatbot.config.settings import (
    BUNDLED,
    FAST,
    EmbeddingSettings,
    KnowledgeSettings,
    Settings,
)
from devops_chatbot.conversations import AttachmentLimits, Attachments, CodeRuns, RunLimits, Workbench
from devops_chatbot.conversations.threads import SqlThreads, Threads
from devops_chatbot.db.blobs import FolderBlobs
from devops_chatbot.db.engine import open_database
from devops_chatbot.db.reserve import Reserve
from devops_chatbot.errors import NotFound
from devops_chatbot.i18n import Reason
from devops_chatbot.learning import Learning
from devops_chatbot.llm import Models, RoleAssignments
from devops_chatbot.redaction import Redactor
from devops_chatbot.resync import Resync
from devops_chatbot.routing.router import Router
from devops_chatbot.runs import Runs
from devops_chatbot.sandbox_bootstrap import open_sandbox, usual_limits
from devops_chatbot.scheduler.approvals import Approvals
from devops_chatbot.scheduler.scenarios import load_scenarios, plugin_folders
from devops_chatbot.scheduler.scheduler import Scheduler
from devops_chatbot.tools import Surroundings
from devops_chatbot.url_guard import UrlGuard
from knowledge.catalog.blobs import Originals
from knowledge.catalog.catalog import Catalog
from knowledge.embed import Embedder, open_bundled, open_endpoint, open_fast, open_sentence_transformers
from knowledge.embed.registry import Embeddings, Offer
from knowledge.ingest.ingest import Ingest, IngestOptions
from knowledge.loaders import loaders
from knowledge.loaders.process import ParserProcess
from knowledge.model import Retriever
from knowledge.registry import Registry
from knowledge.retrieval.hybrid import HybridRetriever
from knowledge.sources import graph_schema, source_kinds
from knowledge.sources.archives import ArchiveLimits
from knowledge.sources.folder import allowed_folder
from knowledge.stores.backends import backends
from knowledge.stores.indexes import Stores
from knowledge.suggestions import suggestions
from sandbox.model import Sandbox

TRANSFERS = "transfers"
"""The folder of the data directory with files on their way in or out; nothing in it outlives the process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """Every part of a running product. `start` and `close` are called once each.

    It sees the records of everybody; `of` gives it as one principal sees it.
    """

    version: str
    settings: Settings
    data: DataDirectory
    catalog: Catalog
    stores: Stores
    registries: tuple[Registry[Any], ...]
    ingest: Ingest
    runs: Runs
    learning: Learning
    resync: Resync
    embeddings: Embeddings
    retriever: Retriever
    models: Models
    threads: Threads
    toolbox: Toolbox
    dispatch: Dispatch
    approvals: Approvals
    scheduler: Scheduler
    sandbox: Sandbox
    workbench: Workbench
    closing: tuple[Callable[[], None], ...]

    def of(self, principal: Principal) -> "Product":
        """The same, with the records that this principal sees."""
        return dataclasses.replace(
            self,
            catalog=self.catalog.of(principal),
            threads=self.threads.of(principal),
            runs=self.runs.of(principal),
            approvals=self.approvals.of(principal),
        )

    def start(self) -> None:
        """Put right what a crash left behind, and go on with unfinished runs."""
        FolderBlobs(self.data.folder(TRANSFERS)).delete(*(path.name for path in self.data.folder(TRANSFERS).iterdir()))
        self.workbench.sweep()
        self.learning.resume()
        self.resync.start()

    def close(self) -> None:
        """End the work and close every store, whatever becomes of one; the data directory stays its owner's to close."""
        with ExitStack() as stack:
            for close in reversed(self.closing):
                stack.callback(close)

    def ids_of(self, knowledge_bases: Sequence[str]) -> tuple[str, ...]:
        """Ids of knowledge bases that were given by id or name; of all when none was given. Raises `NotFound`, also for
        one that belongs to a conversation.
        """
        if knowledge_bases:
            bases = [self.catalog.get(name) for name in knowledge_bases]
            for name, base in zip(knowledge_bases, bases, strict=True):
                if base.hidden:
                    raise NotFound("knowledge_base.not_found", name=name)
            return tuple(dict.fromkeys(base.id for base in bases))
        return tuple(base.id for base in self.catalog.list())


def build(settings: Settings, data: DataDirectory) -> Product:
    """The product over a data directory. Nothing heavy is loaded and no store opened before its first use."""
    engine = open_database(data.records)
    catalog = Catalog(engine)
    embeddings = Embeddings(_offers(settings, data.folder("embeddings")), default=settings.knowledge.embedding)
    embedder_of = _embedder_of(catalog, embeddings)
    kinds = source_kinds()
    knowledge, known = settings.knowledge, backends()
    stores = known.open(
        data.folder,
        vectors=knowledge.vector_store,
        lexical=knowledge.lexical_store,
        graph=knowledge.graph_store,
        schema=graph_schema(kinds.found.values()),
    )
    reader = ParserProcess(timeout_s=knowledge.parse_timeout_s, memory_mb=knowledge.parse_memory_mb)
    ingest = Ingest(
        catalog=catalog,
        stores=stores,
        originals=Originals(FolderBlobs(data.folder("files"))),
        reader=reader,
        embedder_of=embedder_of,
        kinds=kinds,
        options=_options(knowledge),
    )
    folder = data.folder("runs")
    runs = Runs(engine, database=folder / "dbos.sqlite", reserve=Reserve(data.path / "reserve"))
    learning = Learning(
        runs,
        ingest,
        catalog,
        uploads=FolderBlobs(folder / "staging"),
        incoming=data.folder(TRANSFERS),
        permitted={"folder": lambda location: str(allowed_folder(location, knowledge.folders))},
    )
    resync = Resync(catalog, runs, learning, every_s=knowledge.resync_minutes * 60)
    retriever = HybridRetriever(
        catalog=catalog,
        vectors=stores.vectors,
        lexical=stores.lexical,
        graph=stores.graph,
        embedder_of=embedder_of,
    )
    models = Models(settings.models, settings.roles.model_dump(), assignments=RoleAssignments(engine))
    threads = SqlThreads(engine)
    sandbox = open_sandbox(settings.sandbox, data_dir=data.path)
    toolsets = toolset_kinds()
    toolbox = Toolbox(
        toolsets,
        settings.tools,
        Surroundings(guard=UrlGuard(settings.guard.allowed), retriever=retriever, sandbox=sandbox),
    )
    blobs, most = FolderBlobs(data.folder("conversations")), settings.conversations
    redactor = Redactor(
        [*secrets_of(settings), *(each for read in toolbox.settings.values() for each in secrets_of(read))]
    )
    dispatch = Dispatch(ToolOutput(redactor, BlobOutputs(blobs)))
    approvals = Approvals(engine, ApprovedCalls(toolbox, dispatch), expire_s=most.approval_hours * 3600)
    agents: dict[str, Agent] = {
        agent.name: agent for agent in (DocsAgent(retriever, catalog), ToolAgent(toolbox, dispatch, models))
    }
    own = data.folder("scenarios")
    scenarios = load_scenarios([SCENARIOS, *plugin_folders(), own], agents=agents, tools=toolbox.knows)
    router = Router(
        scenarios.usable,
        knowledge_bases=lambda principal: catalog.of(principal).list(hidden=True),
        embedder=lambda: embeddings.of(FAST if knowledge.embedding == FAST else BUNDLED),
    )
    scheduler = Scheduler(
        threads=threads,
        models=models,
        router=router,
        extracts=ExtractiveWriter(stores.lexical),
        agents=agents,
        approvals=approvals,
        suggest=lambda principal, bases, language: suggestions(catalog.of(principal), bases, language),
        broken=scenarios.broken,
    )
    workbench = Workbench(
        engine,
        blobs,
        sandbox=sandbox,
        limits=usual_limits(settings.sandbox),
        threads=threads,
        runs=CodeRuns(engine, blobs, RunLimits(of_run=most.run_mb << 20, of_thread=most.runs_mb << 20)),
        attachments=Attachments(
            engine,
            blobs,
            catalog=catalog,
            ingest=ingest,
            runs=runs,
            learning=learning,
            embedding=knowledge.embedding,
            limits=AttachmentLimits(of_file=most.attachment_mb << 20, of_thread=most.attachments_mb << 20),
        ),
    )
    return Product(
        version=version("devops-chatbot"),
        settings=settings,
        data=data,
        catalog=catalog,
        stores=stores,
        registries=(kinds, loaders(), known.vectors, known.lexical, known.graph, toolsets),
        ingest=ingest,
        runs=runs,
        learning=learning,
        resync=resync,
        embeddings=embeddings,
        retriever=retriever,
        models=models,
        threads=threads,
        toolbox=toolbox,
        dispatch=dispatch,
        approvals=approvals,
        scheduler=scheduler,
        sandbox=sandbox,
        workbench=workbench,
        closing=(sandbox.close, resync.close, runs.close, reader.close, stores.close, embeddings.close, engine.dispose),
    )


def _options(knowledge: KnowledgeSettings) -> IngestOptions:
    return IngestOptions(
        chunk_tokens=knowledge.chunk_tokens,
        overlap_tokens=knowledge.overlap_tokens,
        max_file_mb=knowledge.max_file_mb,
        archives=ArchiveLimits(
            total_mb=knowledge.max_upload_mb,
            files=knowledge.max_archive_files,
            ratio=knowledge.max_archive_ratio,
            file_mb=knowledge.max_file_mb,
        ),
    )


def _offers(settings: Settings, cache: Path) -> dict[str, Offer]:
    packaged = {
        BUNDLED: Offer(provider=BUNDLED, model="multilingual-e5-small", open=partial(open_bundled, cache)),
        FAST: Offer(provider=FAST, model="all-MiniLM-L6-v2", open=partial(open_fast, cache)),
    }
    named = {name: packaged.get(chosen.provider) or _offer(chosen) for name, chosen in settings.embeddings.items()}
    return packaged | named


def _offer(chosen: EmbeddingSettings) -> Offer:
    if chosen.provider == "openai-compatible":
        key = chosen.api_key.get_secret_value() if chosen.api_key else None
        connect = partial(
            open_endpoint,
            chosen.model,
            base_url=chosen.base_url or "",
            api_key=key,
            batch=chosen.batch,
            timeout_s=chosen.timeout_s,
            english=chosen.english,
        )
        return Offer(provider=chosen.provider, model=chosen.model, open=connect, remote=True)
    missing = Reason("embedding.missing_extra") if find_spec("sentence_transformers") is None else None
    load = partial(open_sentence_transformers, chosen.model, batch=chosen.batch, english=chosen.english)
    return Offer(provider=chosen.provider, model=chosen.model, open=load, missing=missing)


def _embedder_of(catalog: Catalog, embeddings: Embeddings) -> Callable[[str], Embedder]:
    """The embedding model of a knowledge base."""
    return lambda knowledge_base: embeddings.of(catalog.embedding(knowledge_base))
