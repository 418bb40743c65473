"""Puts the product together: the only place that names concrete classes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from sqlalchemy import Engine

from agents.docs import DocsAgent
from devops_chatbot.chat import Agent
from devops_chatbot.datadir import DataDirectory
from devops_chatbot.embeddings import Embeddings, Offer
from devops_chatbot.llm import Models
from devops_chatbot.records import open_records
from devops_chatbot.runs import Jobs
from devops_chatbot.scheduler import Scheduler
from devops_chatbot.settings import BUNDLED, EmbeddingSettings, KnowledgeSettings, Settings
from devops_chatbot.threads import Threads
from knowledge.catalogue import Catalogue
from knowledge.embed import Embedder, EndpointEmbedder, MiniLm, TransformersEmbedder
from knowledge.graph.ladybug import LadybugGraph
from knowledge.ingest import Ingest, Shaping
from knowledge.lexical.tantivy import TantivyWords
from knowledge.loaders.process import ParserProcess
from knowledge.model import Retriever
from knowledge.originals import Originals
from knowledge.search import HybridRetriever
from knowledge.stores import Stores
from knowledge.vector.chroma import ChromaVectors


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """Every part of a running product. `start` and `close` are called once each."""

    version: str
    settings: Settings
    data: DataDirectory
    catalogue: Catalogue
    ingest: Ingest
    jobs: Jobs
    embeddings: Embeddings
    retriever: Retriever
    models: Models
    threads: Threads
    scheduler: Scheduler
    _closers: tuple[Callable[[], None], ...]

    def start(self) -> None:
        """Put right what a crash left behind, and go on with unfinished jobs."""
        self.jobs.resume()

    def close(self) -> None:
        """End the work and close every store; the data directory stays its owner's to close."""
        for close in self._closers:
            close()

    def ids_of(self, knowledge_bases: Sequence[str]) -> tuple[str, ...]:
        """Ids of knowledge bases that were given by id or name; of all when none was given. Raises `NotFound`."""
        if knowledge_bases:
            return tuple(dict.fromkeys(self.catalogue.get(name).id for name in knowledge_bases))
        return tuple(base.id for base in self.catalogue.list())
