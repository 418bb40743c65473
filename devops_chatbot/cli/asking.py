"""Prints the events of one question as they come."""

import json
import sys
from collections.abc import Iterator

from devops_chatbot.calls import Approval, ApprovalNeeded, ToolCall, Waiting
from devops_chatbot.chat import Answer, Citation, Event, Failure, Progress, Route, Token
from devops_chatbot.cli.output import error, note, print_json, said
from devops_chatbot.client.client import Client
from devops_chatbot.errors import BadRequest, ChatbotError, error_of
from devops_chatbot.i18n import Reason
from devops_chatbot.schemas.threads import NewMessage


def ask_and_print(
    client: Client, message: NewMessage, *, thread: str | None, as_json: bool
) -> type[ChatbotError] | None:
    """Ask in the thread, or in a new one; returns the class of the error when it did not go well."""
    thread_id = thread or client.create_thread().id
    try:
        return print_events(client.ask(thread_id, message), thread_id, new=thread is None, as_json=as_json)
    except BadRequest:  # the question was refused: there is nothing to keep
        if thread is None:
            client.delete_thread(thread_id)
        raise


def print_events(events: Iterator[Event], thread_id: str, *, new: bool, as_json: bool) -> type[ChatbotError] | None:
    """Print an answer as it comes, and around it what agents do; as JSON only its last event. Returns as `ask_and_print`."""
    spoken = False
    for event in events:
        if isinstance(event, Failure):
            if spoken:
                print()
            error(event.reason)
            return type(error_of(event.error, event.reason))
        if as_json:
            if isinstance(event, Answer | Waiting):
                print_json(event)
        elif isinstance(event, Route):
            note(f"→ {event.scenario}: {said(event.why)} ({event.confidence:.0%} sure)\n")
        elif isinstance(event, Progress) and event.what and sys.stderr.isatty():
            note(f"  {said(event.what)}")
        elif isinstance(event, ToolCall):
            note(f"  {_told(event)}")
        elif isinstance(event, ApprovalNeeded):
            _print_approval(event.approval)
        elif isinstance(event, Waiting):
            note("The answer goes on after that.")
        elif isinstance(event, Token):
            print(event.text, end="", flush=True)
            spoken = True
        elif isinstance(event, Answer):
            print()
            if event.citations:
                print()
            for citation in event.citations:
                print(f"[{citation.number}] {_place(citation)}")
            if event.given:
                note(f"\n{said(Reason('model.uncited'))}")
                for passage in event.given:
                    note(f"- {_place(passage)}")
            if new:
                note(f"\nGo on with: devops-chatbot ask --thread {thread_id} TEXT")
    return None


def _told(call: ToolCall) -> str:
    """One line about a call."""
    given = json.dumps(dict(call.arguments), ensure_ascii=False)
    result = said(call.why) or (f"{call.chars} characters after {call.seconds:.1f} s" if call.state == "done" else "")
    return f"{call.agent} {call.state}: {call.tool}({given}) {result}".rstrip()


def _print_approval(approval: Approval) -> None:
    note(f"\nThis call ({approval.call.effect}) waits for a person: {approval.call.tool}")
    note(json.dumps(dict(approval.call.arguments), ensure_ascii=False, indent=2))
    for each in approval.support:
        note(f"  because of {each.title} ({each.trust.value})")
    note(f"devops-chatbot approvals approve {approval.id}   (or: deny {approval.id} --note WHY)")


def _place(citation: Citation) -> str:
    parts = [" > ".join(dict.fromkeys((citation.title, *citation.heading_path)))]
    if citation.source_uri and citation.source_uri != citation.title:
        parts.append(citation.source_uri)
    where = citation.location
    if where.page is not None:
        parts.append(f"page {where.page}")
    elif where.line_start is not None:
        parts.append(f"lines {where.line_start}–{where.line_end or where.line_start}")
    return " · ".join(parts)
