"""Calls that wait for people: kept, decided once, run once.

An approved call goes through `approved → running → done`, each step one conditional update. `running` is written before the call
goes out, so after a crash there are three cases: not yet running, it is open again; running, and its tool can tell whether it
happened, it is done or open again; running, and nobody can tell, it is open again and marked `unclear`, and never runs by itself.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Engine, Row, and_, delete, insert, select, update

from devops_chatbot.access.ownership import seen_by
from devops_chatbot.access.principals import Principal
from devops_chatbot.calls import Approval, ApprovalState, Decision, Proposal, Support, ToolCall
from devops_chatbot.conversations.tables import messages_table, threads_table
from devops_chatbot.db.transactions import reading, writing
from devops_chatbot.errors import Conflict, NotFound
from devops_chatbot.i18n import Reason
from devops_chatbot.scheduler.tables import approvals as table
from devops_chatbot.scheduler.tables import suspensions
from devops_chatbot.tools import Caller
from devops_chatbot.values import from_json, to_json

UNDECIDED: Sequence[ApprovalState] = ("open",)
ENDED: Sequence[ApprovalState] = ("done", "failed", "denied", "expired")


class Calls(Protocol):
    """Makes calls that a person has approved, and looks whether one took effect."""

    def checked(self, call: ToolCall) -> ToolCall:
        """The call with its arguments as the tool wants them. Raises `BadRequest`."""

    async def run(self, call: ToolCall, who: Caller) -> ToolCall:
        """The call after it ran. Never raises."""

    async def happened(self, call: ToolCall) -> bool | None:
        """Whether it took effect; None where that cannot be seen. Never raises."""


class Approvals:
    """In the database; of a principal, or without one all of them. Safe for concurrent use. Raises `StoreUnavailable`."""

    def __init__(self, engine: Engine, calls: Calls, *, expire_s: float, principal: Principal | None = None) -> None:
        self._engine = engine
        self._calls = calls
        self._expire_s = expire_s
        self._principal = principal

    def of(self, principal: Principal) -> "Approvals":
        """The same, as this principal sees them: those of the conversations that are theirs."""
        return Approvals(self._engine, self._calls, expire_s=self._expire_s, principal=principal)

    # --- what people see and say

    def find(self, *, state: ApprovalState | None = None, thread: str | None = None) -> list[Approval]:
        """Newest first."""
        self.expire()
        conditions = [table.c.state == state] if state else []
        conditions += [table.c.thread == thread] if thread else []
        return self._found(*conditions)

    def get(self, approval: str) -> Approval:
        """Raises `NotFound`."""
        self.expire()
        found = self._found(table.c.id == approval)
        if not found:
            raise NotFound("approval.not_found", id=approval)
        return found[0]

    def decide(self, approval: str, decision: Decision, by: Principal) -> Approval:
        """Approve or deny; the first one wins. Raises `NotFound`, `Conflict` when it is decided or expired already, and
        `BadRequest` for arguments that the tool does not take.
        """
        before = self.get(approval)
        call, edited = before.call, False
        if decision.approve and decision.arguments is not None:
            call = self._calls.checked(replace(call, arguments=decision.arguments))
            edited = dict(call.arguments) != dict(before.call.arguments)
        values = {
            "state": "approved" if decision.approve else "denied",
            "call": _dumped(call),
            "edited": edited,
            "note": decision.note,
            "scope": decision.scope,
            "decided_by": by.name,
            "decided_at": time.time(),
        }
        if not decision.approve:
            values["outcome"] = _dumped(_not_run(call, "denied", Reason("call.denied", note=decision.note or "–")))
        if not self._move(approval, "open", values):
            now = self.get(approval)
            raise Conflict("approval.decided", state=now.state, by=now.decided_by or "–")
        return self.get(approval)

    # --- what the scheduler does with them

    def suspend(
        self, thread: str, message: str, question: str, proposals: Sequence[Proposal], state: str
    ) -> list[Approval]:
        """Keep a question that waits, with the state of its flow, and its calls. One whose tool a person has allowed for the
        rest of the conversation is approved at once.
        """
        now = time.time()
        with writing(self._engine) as connection:
            connection.execute(delete(suspensions).where(suspensions.c.message == message))
            connection.execute(insert(suspensions).values(message=message, thread=thread, state=state))
            granted = select(table).where(
                table.c.thread == thread, table.c.scope == "session", table.c.state != "denied"
            )
            allowed = {
                from_json(ToolCall, row.call).tool: row.decided_by
                for row in connection.execute(granted)
                if row.decided_by is not None
            }
            known = set(connection.scalars(select(table.c.id).where(table.c.message == message)))
            for each in proposals:
                if each.call.id in known:
                    continue
                by = allowed.get(each.call.tool)
                row = {
                    "id": each.call.id,
                    "thread": thread,
                    "message": message,
                    "question": question,
                    "call": _dumped(each.call),
                    "support": to_json(each.support).decode(),
                    "state": "approved" if by else "open",
                    "created_at": now,
                    "expires_at": now + self._expire_s,
                    "decided_by": by,
                    "decided_at": now if by else None,
                }
                connection.execute(insert(table).values(row))
        return self.of_message(message)

    def of_message(self, message: str) -> list[Approval]:
        """Oldest first."""
        self.expire()
        return self._found(table.c.message == message)[::-1]

    def suspended(self, message: str) -> str | None:
        """The state that was kept; None when it does not wait (any more)."""
        with reading(self._engine) as connection:
            return connection.scalar(select(suspensions.c.state).where(suspensions.c.message == message))

    def thread_of(self, message: str) -> str | None:
        """The conversation of a question that waits; None when it does not."""
        with reading(self._engine) as connection:
            return connection.scalar(select(suspensions.c.thread).where(suspensions.c.message == message))

    def waiting_in(self, thread: str) -> list[str]:
        """The messages of a conversation that wait."""
        with reading(self._engine) as connection:
            return list(connection.scalars(select(suspensions.c.message).where(suspensions.c.thread == thread)))

    def forget(self, message: str) -> None:
        """The question has its answer, or was given up; calls that nobody decided are over."""
        with writing(self._engine) as connection:
            connection.execute(delete(suspensions).where(suspensions.c.message == message))
            undecided = (table.c.message == message) & table.c.state.in_(("open", "approved"))
            connection.execute(update(table).where(undecided).values(state="expired"))

    async def run(self, approval: Approval, who: Caller) -> ToolCall | None:
        """Make an approved call; None when somebody else does or did."""
        if not await asyncio.to_thread(self._move, approval.id, "approved", {"state": "running"}):
            return None
        try:
            done = await self._calls.run(replace(approval.call, state="running", approval=approval.id), who)
        except asyncio.CancelledError:
            await asyncio.shield(self._settle(approval))
            raise
        state = "done" if done.state == "done" else "failed"
        await asyncio.shield(
            asyncio.to_thread(self._move, approval.id, "running", {"state": state, "outcome": _dumped(done)})
        )
        return done

    def expire(self) -> list[str]:
        """End those that waited too long; the messages that were waiting for them."""
        now = time.time()
        late = and_(table.c.state == "open", table.c.expires_at < now)
        with reading(self._engine) as connection:
            rows = connection.execute(select(table).where(late)).all()
        ended = []
        for row in rows:
            outcome = _not_run(from_json(ToolCall, row.call), "denied", Reason("call.expired"))
            if self._move(row.id, "open", {"state": "expired", "outcome": _dumped(outcome)}):
                ended.append(str(row.message))
        return ended

    async def settle(self) -> list[str]:
        """Put right what the end of the last process left: see the module's words. The messages that can go on."""
        await asyncio.to_thread(self._tidy)
        for approval in await asyncio.to_thread(self._found, table.c.state == "running"):
            await self._settle(approval)
        return await asyncio.to_thread(self.ready)

    async def _settle(self, approval: Approval) -> None:
        """One whose call was cut off."""
        happened = await self._calls.happened(approval.call)
        if happened:
            text = str(Reason("call.happened"))
            done = replace(approval.call, state="done", text=text, chars=len(text), approval=approval.id)
            values: dict[str, Any] = {"state": "done", "outcome": _dumped(done)}
        else:
            values = {"state": "open", "unclear": happened is None, "decided_by": None, "decided_at": None}
            values["expires_at"] = time.time() + self._expire_s
        await asyncio.to_thread(self._move, approval.id, "running", values)

    def ready(self) -> list[str]:
        """Messages that wait, and for nobody any more."""
        self.expire()
        with reading(self._engine) as connection:
            waiting = list(connection.scalars(select(suspensions.c.message)))
            held = set(connection.scalars(select(table.c.message).where(table.c.state.in_(("open", "running")))))
        return [str(each) for each in waiting if each not in held]

    def _tidy(self) -> None:
        waits = messages_table.c.state == "waiting"
        with writing(self._engine) as connection:
            connection.execute(
                update(table)
                .where(table.c.state == "approved")
                .values(state="open", decided_by=None, decided_at=None, expires_at=time.time() + self._expire_s)
            )
            answered = select(messages_table.c.id).where(~waits)
            connection.execute(delete(suspensions).where(suspensions.c.message.in_(answered)))
            lost = waits & messages_table.c.id.not_in(select(suspensions.c.message))
            connection.execute(update(messages_table).where(lost).values(state="failed", error=Reason("approval.lost")))

    def _move(self, approval: str, before: ApprovalState, values: Mapping[str, Any]) -> bool:
        """Change one that is in this state; false when it is in another."""
        statement = update(table).where(table.c.id == approval, table.c.state == before).values(**values)
        with writing(self._engine) as connection:
            return connection.execute(statement).rowcount == 1

    def _found(self, *conditions: ColumnElement[bool]) -> list[Approval]:
        theirs = seen_by(self._principal, threads_table.c.owner)
        statement = (
            select(table)
            .join(threads_table, threads_table.c.id == table.c.thread)
            .where(theirs, *conditions)
            .order_by(table.c.created_at.desc(), table.c.id.desc())
        )
        with reading(self._engine) as connection:
            return [_approval(row) for row in connection.execute(statement)]


def _not_run(call: ToolCall, state: str, why: Reason) -> ToolCall:
    return replace(call, state=state, why=why, text=str(why))  # type: ignore[arg-type]


def _dumped(call: ToolCall) -> str:
    return to_json(call).decode()


def _approval(row: Row[Any]) -> Approval:
    return Approval(
        id=row.id,
        thread=row.thread,
        message=row.message,
        question=row.question,
        call=from_json(ToolCall, row.call),
        support=from_json(tuple[Support, ...], row.support),
        state=row.state,
        created_at=datetime.fromtimestamp(row.created_at, UTC),
        expires_at=datetime.fromtimestamp(row.expires_at, UTC),
        decided_at=datetime.fromtimestamp(row.decided_at, UTC) if row.decided_at else None,
        decided_by=row.decided_by,
        scope=row.scope,
        edited=row.edited,
        note=row.note,
        unclear=row.unclear,
        outcome=from_json(ToolCall, row.outcome) if row.outcome else None,
    )
