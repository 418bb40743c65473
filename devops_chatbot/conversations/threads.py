"""Conversations: what was asked and answered, kept until somebody deletes it."""

import dataclasses
import time
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from typing import Any, Protocol

from pydantic import TypeAdapter
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Row,
    case,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy import delete as delete_from

from devops_chatbot.access.ownership import owner_of_new, seen_by
from devops_chatbot.access.principals import Principal
from devops_chatbot.calls import Work
from devops_chatbot.chat import Citation, Message, MessageContent, Route, Thread, ThreadSummary, Usage
from devops_chatbot.conversations.tables import messages_table, threads_table
from devops_chatbot.db.transactions import GroupCommit, reading, writing
from devops_chatbot.errors import BadRequest, NotFound
from devops_chatbot.values import Page

LONGEST_TITLE = 200
LONGEST_AUTOMATIC_TITLE = 60


class Threads(Protocol):
    """Keeps conversations. Safe for concurrent use. Raises `StoreUnavailable`.

    What belongs to somebody else is not there.
    Every method that takes an id raises `NotFound` when there is no such thread; deleting twice is no error. A title
    is stripped and has at most 200 characters, else `BadRequest`.
    """

    def of(self, principal: Principal) -> "Threads":
        """The same, as this principal sees them; what is created there is theirs."""

    def owner(self, thread_id: str) -> str:
        """The id of the principal whose it is."""

    def create(self, title: str = "") -> ThreadSummary:
        """A thread without a title gets one from its first question."""

    def list(self, *, offset: int = 0, limit: int = 50, text: str | None = None) -> Page[ThreadSummary]:
        """Last used first; `text` is looked for in titles and messages, in any case of ASCII letters."""

    def summary(self, thread_id: str) -> ThreadSummary:
        """A thread without its messages."""

    def load(self, thread_id: str) -> Thread: ...

    def rename(self, thread_id: str, title: str) -> ThreadSummary:
        """An empty title is refused."""

    def delete(self, thread_id: str) -> None: ...

    def append(
        self, thread_id: str, message: MessageContent, *, instead_of: str | None = None, answers: str | None = None
    ) -> Message:
        """Keep a message at the end, or behind the question with the id `answers`. `instead_of` removes that message and all
        behind it in the same step.
        """

    def finish(self, thread_id: str, message_id: str, message: MessageContent) -> Message:
        """Put an answer where a message was kept that waited for it. Raises `NotFound` when that is gone too."""


class SqlThreads:
    """`Threads` in the database; of a principal, or without one all of them."""

    def __init__(
        self, engine: Engine, principal: Principal | None = None, *, commits: GroupCommit | None = None
    ) -> None:
        self._engine = engine
        self._principal = principal
        self._commits = commits or GroupCommit(engine)

    def of(self, principal: Principal) -> "SqlThreads":
        return SqlThreads(self._engine, principal, commits=self._commits)

    def owner(self, thread_id: str) -> str:
        with reading(self._engine) as connection:
            return str(self._row(connection, thread_id).owner)

    def create(self, title: str = "") -> ThreadSummary:
        now = time.time()
        thread, named = f"t{uuid.uuid4().hex}", _title(title)
        row = {
            "id": thread,
            "owner": owner_of_new(self._principal),
            "title": named,
            "created_at": now,
            "updated_at": now,
        }
        with writing(self._engine) as connection:
            connection.execute(insert(threads_table).values(row))
        return ThreadSummary(id=thread, title=named, created_at=_time(now), updated_at=_time(now))

    def list(self, *, offset: int = 0, limit: int = 50, text: str | None = None) -> Page[ThreadSummary]:
        statement = select(threads_table).where(self._seen())
        if text and text.strip():
            wanted = text.strip()
            said = select(messages_table.c.thread).where(messages_table.c.text.icontains(wanted, autoescape=True))
            statement = statement.where(
                or_(threads_table.c.title.icontains(wanted, autoescape=True), threads_table.c.id.in_(said))
            )
        newest = statement.order_by(threads_table.c.updated_at.desc(), threads_table.c.id).offset(offset).limit(limit)
        with reading(self._engine) as connection:
            total = connection.execute(select(func.count()).select_from(statement.subquery())).scalar_one()
            rows = connection.execute(newest).all()
        return Page(items=tuple(ThreadSummary(**_summary(row)) for row in rows), total=total)

    def summary(self, thread_id: str) -> ThreadSummary:
        with reading(self._engine) as connection:
            return ThreadSummary(**_summary(self._row(connection, thread_id)))

    def load(self, thread_id: str) -> Thread:
        with reading(self._engine) as connection:
            row = self._row(connection, thread_id)
            messages = _in_order(connection.execute(select(messages_table).where(messages_table.c.thread == thread_id)))
        return Thread(**_summary(row), messages=tuple(_message(one) for one in messages))

    def rename(self, thread_id: str, title: str) -> ThreadSummary:
        named = _title(title)
        if not named:
            raise BadRequest("thread.no_title")
        with writing(self._engine) as connection:
            connection.execute(update(threads_table).where(self._seen(thread_id)).values(title=named))
        return self.summary(thread_id)

    def delete(self, thread_id: str) -> None:
        theirs = select(threads_table.c.id).where(self._seen(thread_id)).scalar_subquery()
        with writing(self._engine) as connection:
            connection.execute(delete_from(messages_table).where(messages_table.c.thread == theirs))
            connection.execute(delete_from(threads_table).where(self._seen(thread_id)))

    def append(
        self, thread_id: str, message: MessageContent, *, instead_of: str | None = None, answers: str | None = None
    ) -> Message:
        now = time.time()
        message_id = f"m{uuid.uuid4().hex}"
        own = {"id": message_id, "thread": thread_id, "created_at": now, "answers": answers}
        row = {**own, **_row(message)}
        change: dict[str, Any] = {"updated_at": now}
        if message.role == "user":
            title = threads_table.c.title
            change["title"] = case((title == "", automatic_title(message.text)), else_=title)

        def keep(connection: Connection) -> None:
            theirs = update(threads_table).where(self._seen(thread_id)).values(change)
            if not connection.execute(theirs).rowcount:
                raise _missing(thread_id)
            if instead_of is not None:
                statement = select(messages_table).where(messages_table.c.thread == thread_id)
                ids = [each.id for each in _in_order(connection.execute(statement))]
                behind = ids[ids.index(instead_of) :] if instead_of in ids else []
                connection.execute(delete_from(messages_table).where(messages_table.c.id.in_(behind)))
            connection.execute(insert(messages_table).values(row))

        self._commits.write(keep)
        said = {each.name: getattr(message, each.name) for each in dataclasses.fields(message)}
        return Message(**said, id=message_id, created_at=_time(now))

    def finish(self, thread_id: str, message_id: str, message: MessageContent) -> Message:
        theirs = select(threads_table.c.id).where(self._seen(thread_id)).scalar_subquery()
        held = (messages_table.c.id == message_id) & (messages_table.c.thread == theirs)
        with writing(self._engine) as connection:
            connection.execute(update(messages_table).where(held).values(_row(message)))
            connection.execute(update(threads_table).where(self._seen(thread_id)).values(updated_at=time.time()))
            kept = connection.execute(select(messages_table).where(held)).first()
        if kept is None:
            raise NotFound("thread.no_message", id=message_id)
        return _message(kept)

    def _row(self, connection: Connection, thread_id: str) -> Row[Any]:
        row = connection.execute(select(threads_table).where(self._seen(thread_id))).first()
        if row is None:
            raise _missing(thread_id)
        return row

    def _seen(self, thread_id: str | None = None) -> ColumnElement[bool]:
        seen = seen_by(self._principal, threads_table.c.owner)
        return seen if thread_id is None else seen & (threads_table.c.id == thread_id)


def _in_order(messages: Iterable[Row[Any]]) -> list[Row[Any]]:
    """As they came, each answer behind its own question, also where two questions were asked at once."""
    rows = sorted(messages, key=lambda row: row.position)
    asked = {row.id: row.position for row in rows}
    return sorted(rows, key=lambda row: (asked.get(row.answers, row.position), row.position))


def automatic_title(question: str) -> str:
    """The first words of a question, on one line; cut at a word with an ellipsis when it is long."""
    line = " ".join(question.split())
    if len(line) <= LONGEST_AUTOMATIC_TITLE:
        return line
    cut = line[:LONGEST_AUTOMATIC_TITLE]
    space = cut.rfind(" ")
    return cut[: space if space > LONGEST_AUTOMATIC_TITLE // 2 else None].rstrip(" ,;:，。；：、") + "…"


def _title(text: str) -> str:
    title = " ".join(text.split())
    if len(title) > LONGEST_TITLE:
        raise BadRequest("thread.title_too_long", length=len(title), most=LONGEST_TITLE)
    return title


def _missing(thread_id: str) -> NotFound:
    return NotFound("thread.not_found", id=thread_id)


def _summary(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "title": row.title,
        "created_at": _time(row.created_at),
        "updated_at": _time(row.updated_at),
    }


def _row(message: MessageContent) -> dict[str, Any]:
    return {
        "role": message.role,
        "text": message.text,
        "citations": _dump(tuple[Citation, ...], message.citations),
        "route": _dump(Route, message.route) if message.route else None,
        "model": message.model,
        "usage": _dump(Usage, message.usage) if message.usage else None,
        "work": _dump(Work, message.work) if message.work else None,
        "state": message.state,
        "thought": message.thought,
        "given": _dump(tuple[Citation, ...], message.given),
        "knowledge_bases": list(message.knowledge_bases),
    } | ({"error": message.error} if message.error else {})


def _message(row: Row[Any]) -> Message:
    return Message(
        id=row.id,
        role=row.role,
        text=row.text,
        citations=_adapter(tuple[Citation, ...]).validate_json(row.citations),
        route=_adapter(Route).validate_json(row.route) if row.route else None,
        model=row.model,
        usage=_adapter(Usage).validate_json(row.usage) if row.usage else None,
        work=_adapter(Work).validate_json(row.work) if row.work else None,
        state=row.state,
        error=row.error,
        knowledge_bases=tuple(row.knowledge_bases),
        thought=row.thought,
        given=_adapter(tuple[Citation, ...]).validate_json(row.given),
        created_at=_time(row.created_at),
    )


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _dump(kind: Any, value: object) -> str:
    return _adapter(kind).dump_json(value).decode()


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
