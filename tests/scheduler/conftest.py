"""A scheduler over real threads, a real router and the real clients, with a small library instead of a search engine."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from scheduler.found import Rarity
from sqlalchemy import Engine

from agents.docs import DocsAgent
from agents.scenarios import SCENARIOS
from devops_chatbot.access.principals import LOCAL
from devops_chatbot.answer.extractive import ExtractiveWriter
from devops_chatbot.calls import ToolCall
from devops_chatbot.chat import Event, FoundBy, Location, Question, SearchMode
from devops_chatbot.config.settings import ModelSettings
from devops_chatbot.conversations.threads import SqlThreads
from devops_chatbot.db.engine import open_database
from devops_chatbot.errors import StoreUnavailable
from devops_chatbot.llm import Models, RoleAssignments
from devops_chatbot.routing.router import Router
from devops_chatbot.scheduler.approvals import Approvals
from devops_chatbot.scheduler.scenarios import load_scenarios
from devops_chatbot.scheduler.scheduler import Scheduler
from devops_chatbot.tools import Caller
from knowledge.embed import Embedder
from knowledge.model import ChunkInContext, Hit, Scope
from knowledge.text.language import terms

ROLES = ("answer", "route", "tools", "graph")


@dataclass(frozen=True, kw_only=True)
class Base:
    """A knowledge base as the router sees it."""

    id: str
    name: str = ""
    chunks: int = 10


@dataclass
class Library:
    """A retriever over a few pages: those that share most words with the query come first."""

    pages: Mapping[str, str] = field(default_factory=dict)
    queries: list[str] = field(default_factory=list)
    fails: bool = False

    def search(
        self, query: str, *, scope: Scope, limit: int, mode: SearchMode = "hybrid", score_threshold: float = 0.0
    ) -> list[Hit]:
        self.queries.append(query)
        if self.fails:
            raise StoreUnavailable("The words index is locked.")
        wanted = set(terms(query))
        shared = {name: len(wanted & set(terms(f"{name} {text}"))) for name, text in self.pages.items()}
        best = sorted((name for name in self.pages if shared[name]), key=lambda name: -shared[name])
        return [self._hit(name, rank) for rank, name in enumerate(best[:limit], 1)] if scope.collections else []

    def short_document(self, document_id: str, *, longest: int) -> Sequence[ChunkInContext]:
        return ()  # each page is one passage, so nothing stands beside it

    def _hit(self, name: str, rank: int) -> Hit:
        title, text = name.removesuffix(".md"), self.pages[name]
        return Hit(
            ref=f"d{name}#v-0",
            collection="kb1",
            document=f"d{name}",
            source_uri=name,
            title=title,
            heading_path=(title,),
            text=text,
            context=text,
            location=Location(line_start=1, line_end=text.count("\n") + 1),
            score=1 / rank,
            found_by=(FoundBy(index="lexical", rank=rank, score=9.0),),
        )


@dataclass(kw_only=True)
class House:
    """Everything that a question meets."""

    scheduler: Scheduler
    threads: SqlThreads
    models: Models
    library: Library
    bases: list[Base]
    run: Callable[[Coroutine[Any, Any, Any]], Any]
    """On the one event loop of this test, as a server has one."""

    def ask(self, text: str, **options: Any) -> list[Event]:
        """All events of one question."""

        async def listen() -> list[Event]:
            return [event async for event in self.scheduler.ask(Question(principal=LOCAL, text=text, **options))]

        events: list[Event] = self.run(listen())
        return events


class NoCalls:
    """Nothing here changes anything."""

    def checked(self, call: ToolCall) -> ToolCall:
        raise NotImplementedError

    async def run(self, call: ToolCall, who: Caller) -> ToolCall:
        raise NotImplementedError

    async def happened(self, call: ToolCall) -> bool | None:
        raise NotImplementedError


SHIPPED = load_scenarios([SCENARIOS], agents=["docs"]).usable


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(tmp_path / "records.db")
    yield engine
    engine.dispose()


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def house(engine: Engine, runner: asyncio.Runner) -> Callable[..., House]:
    """`house(models={"local": model.settings()}, answer=["local"])` builds a scheduler; pages by name in `pages`."""

    def build(
        *,
        pages: Mapping[str, str] | None = None,
        models: Mapping[str, Mapping[str, object]] | None = None,
        embedder: Callable[[], Embedder] | None = None,
        **roles: Sequence[str],
    ) -> House:
        library, bases = Library(pages=pages or {}), [Base(id="kb1", name="Runbooks")]
        threads = SqlThreads(engine)
        named = {name: ModelSettings.model_validate(settings) for name, settings in (models or {}).items()}
        chosen = Models(named, {role: roles.get(role, ()) for role in ROLES}, assignments=RoleAssignments(engine))
        scheduler = Scheduler(
            threads=threads,
            models=chosen,
            router=Router(SHIPPED, knowledge_bases=lambda _: bases, embedder=embedder),  # type: ignore[arg-type, return-value]
            extracts=ExtractiveWriter(Rarity(())),
            agents={"docs": DocsAgent(library, library)},
            suggest=lambda *_: (),
            approvals=Approvals(engine, NoCalls(), expire_s=3600),
        )
        return House(scheduler=scheduler, threads=threads, models=chosen, library=library, bases=bases, run=runner.run)

    return build
