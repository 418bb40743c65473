"""The chat: one conversation, its sources beside it, and the input below."""

from dataclasses import dataclass

import streamlit as st

from devops_chatbot.chat import Failure
from devops_chatbot.errors import ChatbotError, NotFound
from devops_chatbot.wire import Message, NewMessage, Thread
from webui import codecell, composer, conversation, passage, welcome
from webui.live import Asked, LiveAnswer, View
from webui.session import answers, client, has_text, opener, plain, runs, show_error, t, told


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A question whose answer ended too early, and what there was of it."""

    asked: Asked
    view: View


def show() -> None:
    composer.keep_choices()
    thread = _thread()
    live = answers().of(thread.id) if thread else None
    question = _composer(live)
    if question:
        _ask(thread, composer.message(question), question)
    with st.container(key="conversation_open" if passage.opened() else "conversation"):
        if thread is None:
            asked = welcome.show()
            if asked:
                _ask(None, composer.message(asked), asked)
        else:
            passage.show_panel()
            _show_thread(thread, live)


def _thread() -> Thread | None:
    thread_id = st.query_params.get("thread")
    if not thread_id:
        passage.close()
        return None
    if st.session_state.get("panel_thread") != thread_id:  # another conversation: its sources are not this one's
        passage.close()
    st.session_state["panel_thread"] = thread_id
    try:
        return client().thread(thread_id)
    except NotFound:
        st.toast(t("threads.gone"), icon=":material/info:")
        st.query_params.clear()
    except ChatbotError as error:
        show_error(error)
        st.stop()
    return None


def _composer(live: LiveAnswer | None) -> str | None:
    writing = live is not None and not live.ended
    with st.bottom, st.container(key="composer_open" if passage.opened() else "composer", gap="small"):
        question = st.chat_input(t("chat.placeholder"), key="question", disabled=writing, max_chars=20_000)
        if live is not None and writing:
            st.button(
                t("chat.stop"),
                icon=":material/stop_circle:",
                key="stop_answer",
                on_click=_stop,
                args=(live,),
                type="primary",
            )
        try:
            composer.show_choices(client().knowledge_bases(), client().models().models, client().scenarios())
        except ChatbotError as error:
            show_error(error)
    return question


def _stop(live: LiveAnswer) -> None:
    live.stop()


def _ask(thread: Thread | None, message: NewMessage, text: str) -> None:
    """Send a question and show the page again, now with its answer on the way."""
    try:
        thread_id = thread.id if thread else client().create_thread().id
    except ChatbotError as error:
        show_error(error)
        return
    before = len(thread.messages) if thread else 0
    if message.regenerate and thread:
        before = max((i for i, each in enumerate(thread.messages) if each.role == "user"), default=0)
    st.session_state.pop("failure", None)
    answers().start(opener(), Asked(thread_id=thread_id, message=message, before=before, text=text))
    st.query_params["thread"] = thread_id
    st.session_state["panel_thread"] = thread_id
    st.rerun()


def _show_thread(thread: Thread, live: LiveAnswer | None) -> None:
    bench = codecell.bench_of(thread.id)
    spots: list[conversation.Growing] = []
    if live is None:
        spots += _show_messages(thread, thread.messages, bench)
        _show_failure(thread)
    else:
        spots += _show_messages(thread, thread.messages[: live.asked.before], bench, writing=True)
        conversation.show_question(live.asked.text, key="live")
        spots.append(conversation.AnswerSpot(live))
    if bench.live is not None and not spots:  # its answer has gone
        runs().forget(thread.id)
    if not spots:
        return
    conversation.follow(spots)
    if live is not None and live.ended:
        _answered(thread, live, bench)
    if bench.live is not None and bench.live.ended:
        codecell.finish(bench.live)
    st.rerun()


def _answered(thread: Thread, live: LiveAnswer, bench: codecell.Bench) -> None:
    """An answer is there, or what ended it; its code is run when this conversation is set to do so."""
    view = live.wait(-1, 0)
    if view.failure is not None:
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
    try:
        scenarios = client().scenarios()
    except ChatbotError as error:
        show_error(error)
        scenarios = []
    question, spots = "", list[conversation.Growing]()
    for index, message in enumerate(messages):
        if message.role == "user":
            question = message.text
            conversation.show_question(message.text, key=message.id)
            continue
        last = index == len(messages) - 1 and not writing
        shown = conversation.show_answer(message, scenarios, last=last, bench=bench)
        if shown.again is not None:
            _ask(thread, composer.message(regenerate=True, route=shown.again or None), question)
        spots += shown.spots
    return spots


def _show_failure(thread: Thread) -> None:
    """What ended the last answer too early, for as long as nothing else was asked."""
    failed: Failed | None = st.session_state.get("failure")
    if failed is None or failed.asked.thread_id != thread.id:
        return
    last = thread.messages[-1] if thread.messages else None
    saved = last is not None and last.role == "assistant" and last.state != "complete"
    if not saved:
        if last is None or last.text != failed.asked.text:
            conversation.show_question(failed.asked.text, key="failed")
        conversation.show_stopped(failed.view)
    if failed.view.failure is not None and not failed.view.stopped:
        _show_reason(failed.view.failure)
    if not saved and st.button(t("app.retry"), icon=":material/refresh:", key="retry_question"):
        known = last is not None and last.text == failed.asked.text
        text = failed.asked.text
        _ask(thread, composer.message("" if known else text, regenerate=known), text)


def _show_reason(failure: Failure) -> None:
    name = f"error.{failure.error}"
    title = t(name) if has_text(name) else t("chat.failed")
    st.error(f"**{title}**  \n{plain(told(failure.detail))}", icon=":material/error:")
