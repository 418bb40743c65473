"""The chat: one conversation, its sources beside it, and the input below."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from devops_chatbot.chat import Message, ScenarioState, Thread
from devops_chatbot.code import Attachment
from devops_chatbot.errors import ChatbotError, NotFound
from devops_chatbot.schemas.threads import NewMessage
from webui.chat import attaching, codecell, composer, conversation, session_menu, welcome
from webui.chat.live import Asked, LiveAnswer, View, answers
from webui.components import passage
from webui.components.blocks import quiet
from webui.components.calls import show_approval
from webui.components.session import client, has_text, opener, plain, show_error, shown_errors, t, told

if TYPE_CHECKING:
    from streamlit.elements.widgets.chat import ChatInputValue
    from streamlit.runtime.uploaded_file_manager import UploadedFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A question whose answer ended too early, and what there was of it."""

    asked: Asked
    view: View


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsent:
    """A question that was not asked, because its files were refused."""

    thread_id: str
    text: str
    error: ChatbotError


def show() -> None:
    composer.keep_choices()
    thread = _thread()
    thread_id = thread.id if thread else None
    composer.follow_choice(thread)
    state = st.session_state
    if state.setdefault("drawn_thread", thread_id) != thread_id:
        passage.close()  # its sources are not those of the conversation that is shown now
        state["drawn_second"] = not state.get("drawn_second", False)
    state["drawn_thread"] = thread_id
    live = answers().of(thread.id) if thread else None
    attached = attaching.attached_to(thread_id)
    written = _composer(thread, live, attached)
    # A run that follows an answer takes long to end, and until then the browser keeps what the run before has drawn in
    # the same place; so another conversation gets the other one of two places, in turns.
    second = state.get("drawn_second", False)
    if second:
        st.empty()
    column = st.container(key="conversation")
    if not second:
        st.empty()
    with column:
        if written:
            _send(thread, str(written.text or ""), written.files)
        if thread is not None:
            passage.show_panel()
            _show_thread(thread, live, attached)
        elif asked := welcome.show(st.session_state.get("ask_knowledge", ())):
            _ask(None, composer.message(asked), asked)


def _thread() -> Thread | None:
    """The conversation that the address names; there is no other place where this is kept."""
    thread_id = st.query_params.get("thread")
    if not thread_id:
        return None
    try:
        return client().thread(thread_id)
    except NotFound:
        st.toast(t("threads.gone"), icon=":material/info:")
        st.query_params.clear()
    except ChatbotError as error:
        show_error(error)
        st.stop()
    return None


def _composer(
    thread: Thread | None, live: LiveAnswer | None, attached: Sequence[Attachment]
) -> "ChatInputValue | None":
    writing = live is not None and not live.ended
    with st.bottom, st.container(key="composer", gap="small"):
        if thread is not None:
            attaching.show(thread.id, attached)
        written = st.chat_input(
            t("chat.placeholder"), key="question", disabled=writing, max_chars=20_000, accept_file="multiple"
        )
        if live is not None and writing:
            st.button(
                t("chat.stop"),
                icon=":material/stop_circle:",
                key=f"stop_answer_{live.asked.thread_id}",
                on_click=live.stop,
                type="primary",
            )
        try:
            composer.show_choices(
                client().knowledge_bases(),
                client().models().models,
                client().scenarios(),
                code=lambda: session_menu.show(thread.id if thread else None),
            )
        except ChatbotError as error:
            show_error(error)
    return written


def _send(thread: Thread | None, text: str, files: "Sequence[UploadedFile]") -> None:
    """Attach what was dropped, then ask what was written. A question whose files are refused is not asked."""
    st.session_state.pop("unsent", None)
    if files:
        try:
            thread = thread or client().thread(_begin())
            attaching.send(thread.id, files)
        except ChatbotError as error:
            if thread is None:
                show_error(error)
                return
            st.session_state["unsent"] = Unsent(thread_id=thread.id, text=text, error=error)
    if thread and ("unsent" in st.session_state or not text.strip()):
        st.query_params["thread"] = thread.id
        st.rerun()
    if text.strip():
        _ask(thread, composer.message(text), text)


def _begin() -> str:
    """A new conversation's id."""
    thread = client().create_thread().id
    session_menu.begun(thread)
    return thread


def _ask(thread: Thread | None, message: NewMessage, text: str) -> None:
    """Send a question and show the page again, now with its answer on the way."""
    try:
        thread_id = thread.id if thread else _begin()
    except ChatbotError as error:
        show_error(error)
        return
    before = len(thread.messages) if thread else 0
    if message.regenerate and thread:
        before = max((i for i, each in enumerate(thread.messages) if each.role == "user"), default=0)
    st.session_state.pop("failure", None)
    asked, open_client = Asked(thread_id=thread_id, message=message, before=before, text=text), opener()
    answers().start(thread_id, lambda: LiveAnswer(open_client, asked))
    st.query_params["thread"] = thread_id
    st.rerun()


def _show_thread(thread: Thread, live: LiveAnswer | None, attached: Sequence[Attachment]) -> None:
    bench = codecell.bench_of(thread.id)
    spots: list[conversation.Growing] = []
    if live is None:
        spots += _show_messages(thread, thread.messages, bench)
        _show_failure(thread)
        _show_unsent(thread)
        if not thread.messages and "unsent" not in st.session_state:
            quiet(t("attach.empty"), empty=True)
    else:
        spots += _show_messages(thread, thread.messages[: live.asked.before], bench, writing=True)
        conversation.show_question(live.asked.text, key="live")
        spots.append(conversation.AnswerSpot(live, _scenarios()))
    if bench.live is not None and not any(isinstance(spot, codecell.Spot) for spot in spots):
        spots.append(codecell.Spot(bench.live, bench.live.view().cell))
    spots += attaching.waiting(thread.id, attached)
    if not spots:
        return
    conversation.follow(spots)
    if live is not None and live.ended:
        _answered(thread, live, bench)
    if bench.live is not None and bench.live.ended:
        codecell.finish(bench.live)
    st.empty()  # who has chosen another conversation in the meantime gets that one: what follows would come first
    st.rerun()


def _answered(thread: Thread, live: LiveAnswer, bench: codecell.Bench) -> None:
    """An answer is there, or what ended it; its code is run when this conversation is set to do so."""
    view = live.wait(-1, 0)
    if view.failure is not None and live.asked.message is not None:
        st.session_state["failure"] = Failed(asked=live.asked, view=view)
    answers().forget(thread.id)
    if view.answer is None or view.answer.message_id is None or bench.why_not:
        return
    cells = codecell.cells_of(view.answer.message_id, view.answer.text, bench.names)
    try:
        if cells and client().bench.sandbox(thread.id).auto_run:
            codecell.start(thread.id, cells)
    except ChatbotError as error:
        show_error(error)


def _show_messages(
    thread: Thread, messages: tuple[Message, ...], bench: codecell.Bench, *, writing: bool = False
) -> list[conversation.Growing]:
    scenarios = _scenarios()
    question, spots = "", list[conversation.Growing]()
    for index, message in enumerate(messages):
        if message.role == "user":
            question = message.text
            conversation.show_question(message.text, key=message.id)
            continue
        last = index == len(messages) - 1 and not writing
        shown = conversation.show_answer(message, scenarios, last=last, bench=bench)
        if message.state == "waiting":
            _show_waiting(thread, message, question, before=index - 1 if last else None)
        if shown.again is not None:
            _ask(thread, composer.message(regenerate=True, route=shown.again or None), question)
        spots += shown.spots
    return spots


def _show_waiting(thread: Thread, message: Message, question: str, *, before: int | None) -> None:
    """The calls that an answer waits for; once all are decided it is followed (where it is the last one: `before`)."""

    def go_on(_: object = None) -> None:
        if before is not None:
            asked, open_client = Asked(thread_id=thread.id, message=None, before=before, text=question), opener()
            answers().start(thread.id, lambda: LiveAnswer(open_client, asked))
        st.rerun()

    with shown_errors():
        waiting = [each for each in client().approvals(state="open", thread=thread.id) if each.message == message.id]
        st.html(f'<div class="cb-note">{escape(t("calls.waits" if waiting else "calls.goes_on"))}</div>')
        for each in waiting:
            show_approval(each, decided=go_on)
        followed = st.session_state.setdefault("followed", set())
        if not waiting and message.id not in followed:
            followed.add(message.id)  # once: it may have ended in this moment
            go_on()


def _scenarios() -> list[ScenarioState]:
    try:
        return client().scenarios()
    except ChatbotError as error:
        show_error(error)
        return []


def _show_failure(thread: Thread) -> None:
    """What ended the last answer too early, for as long as nothing else was asked."""
    failed: Failed | None = st.session_state.get("failure")
    if failed is None or failed.asked.thread_id != thread.id:
        return
    last = thread.messages[-1] if thread.messages else None
    if last is not None and last.role == "assistant" and last.state != "complete":
        return  # kept by the server, with the reason
    sent = failed.asked.message
    again = (sent is not None and sent.regenerate) or (last is not None and last.text == failed.asked.text)
    if not again:
        conversation.show_question(failed.asked.text, key="failed")
    conversation.show_stopped(failed.view)
    if failed.view.failure is not None and not failed.view.stopped:
        name = f"error.{failed.view.failure.error}"
        title = t(name) if has_text(name) else t("chat.failed")
        st.error(f"**{title}**  \n{plain(told(failed.view.failure.reason))}", icon=":material/error:")
    if st.button(t("app.retry"), icon=":material/refresh:", key="retry_question"):
        text = failed.asked.text
        _ask(thread, composer.message("" if again else text, regenerate=again), text)


def _show_unsent(thread: Thread) -> None:
    """A question whose files were refused: why, and a way on without them."""
    unsent: Unsent | None = st.session_state.get("unsent")
    if unsent is None or unsent.thread_id != thread.id:
        return
    show_error(unsent.error)
    if unsent.text.strip():
        conversation.show_question(unsent.text, key="unsent")
        if st.button(t("attach.without"), icon=":material/send:", key="ask_without"):
            st.session_state.pop("unsent")
            _ask(thread, composer.message(unsent.text), unsent.text)
