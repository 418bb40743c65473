"""Prints the events of one question as they come."""

import sys
from collections.abc import Iterator

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
        return _print_events(client.ask(thread_id, message), thread_id, new=thread is None, as_json=as_json)
    except BadRequest:  # the question was refused: there is nothing to keep
        if thread is None:
            client.delete_thread(thread_id)
        raise


def _print_events(events: Iterator[Event], thread_id: str, *, new: bool, as_json: bool) -> type[ChatbotError] | None:
    spoken = False
    for event in events:
        if isinstance(event, Failure):
            if spoken:
                print()
            error(event.reason)
            return type(error_of(event.error, event.reason))
        if as_json:
            if isinstance(event, Answer):
                print_json(event)
        elif isinstance(event, Route):
            note(f"→ {event.scenario}: {said(event.why)} ({event.confidence:.0%} sure)\n")
        elif isinstance(event, Progress) and event.what and sys.stderr.isatty():
            note(f"  {said(event.what)}")
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
