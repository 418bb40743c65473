"""What every keeper of conversations must do. Adopt it with one fixture, `threads`."""

import threading
import time

import pytest

from devops_chatbot.chat import Choice, Citation, Location, MessageContent, Route, Usage
from devops_chatbot.conversations.threads import Threads
from devops_chatbot.errors import BadRequest, NotFound
from devops_chatbot.i18n import Reason

ASKED = MessageContent(role="user", text="How do I renew the certificate?")
CITATION = Citation(
    number=1,
    ref="d1#abc-0",
    quote="Run certbot renew.",
    title="TLS",
    source_uri="tls.md",
    heading_path=("TLS", "Renew"),
    location=Location(line_start=3, line_end=9),
)
ROUTE = Route(
    scenario="docs",
    sources=("kb1",),
    why=Reason("route.chosen"),
    confidence=0.9,
    alternatives=(Choice(scenario="chat", confidence=0.1),),
)
ANSWERED = MessageContent(
    role="assistant",
    text="Run `certbot renew` [1]",
    citations=(CITATION,),
    route=ROUTE,
    model="local",
    usage=Usage(input_tokens=10, output_tokens=5, cost=0.1, seconds=1.5),
)


class ThreadsContract:
    """Subclass it as `Test…` and give the fixture `threads`."""

    def test_a_thread_is_kept_with_its_messages_in_order(self, threads: Threads) -> None:
        made = threads.create("TLS questions")
        asked = threads.append(made.id, ASKED)
        answered = threads.append(made.id, ANSWERED)
        thread = threads.load(made.id)
        assert thread.title == "TLS questions"
        assert thread.messages == (asked, answered)
        assert answered.citations == (CITATION,)
        assert answered.route == ROUTE
        assert answered.usage == ANSWERED.usage
        assert (answered.model, answered.state, asked.state) == ("local", "complete", "complete")
        assert asked.id != answered.id
        assert thread.updated_at >= thread.created_at == made.created_at

    def test_the_first_question_becomes_the_title_of_a_thread_without_one(self, threads: Threads) -> None:
        thread = threads.create()
        assert thread.title == ""
        threads.append(thread.id, MessageContent(role="user", text="  How do I\nrenew  it? "))
        threads.append(thread.id, MessageContent(role="user", text="And then?"))
        assert threads.load(thread.id).title == "How do I renew it?"

    def test_a_long_first_question_is_cut_at_a_word(self, threads: Threads) -> None:
        thread = threads.create()
        threads.append(thread.id, MessageContent(role="user", text="certificate " * 20))
        title = threads.load(thread.id).title
        assert len(title) <= 61
        assert title.endswith("certificate…")

    def test_a_list_begins_with_the_thread_used_last(self, threads: Threads) -> None:
        first, second, third = (threads.create(name) for name in ("first", "second", "third"))
        time.sleep(0.002)
        threads.append(first.id, ASKED)
        page = threads.list()
        assert page.total == 3
        assert page.items[0].id == first.id
        assert {one.id for one in page.items} == {first.id, second.id, third.id}
        assert len(threads.list(limit=2).items) == 2
        assert len(threads.list(offset=2, limit=2).items) == 1
        assert threads.list(limit=2).total == 3

    def test_text_is_found_in_titles_and_messages(self, threads: Threads) -> None:
        by_title, by_message, other = threads.create("Disk FULL"), threads.create("b"), threads.create("c")
        threads.append(by_message.id, MessageContent(role="user", text="磁盘 is full at 100%"))
        threads.append(other.id, MessageContent(role="user", text="nothing"))
        assert {one.id for one in threads.list(text="full").items} == {by_title.id, by_message.id}
        assert [one.id for one in threads.list(text="磁盘").items] == [by_message.id]
        assert [one.id for one in threads.list(text="100%").items] == [by_message.id]
        assert threads.list(text="%%").total == 0
        assert threads.list(text="  ").total == 3

    def test_an_answer_is_replaced_in_one_step(self, threads: Threads) -> None:
        thread = threads.create()
        asked = threads.append(thread.id, ASKED)
        old = threads.append(thread.id, ANSWERED)
        new = threads.append(thread.id, MessageContent(role="assistant", text="Better."), instead_of=old.id)
        assert threads.load(thread.id).messages == (asked, new)

    def test_a_thread_is_renamed(self, threads: Threads) -> None:
        thread = threads.create("old")
        threads.rename(thread.id, "  新 名字 ")
        assert threads.load(thread.id).title == "新 名字"
        for wrong in ("", "   ", "x" * 201):
            with pytest.raises(BadRequest):
                threads.rename(thread.id, wrong)

    def test_a_deleted_thread_is_gone_and_deleting_again_is_no_error(self, threads: Threads) -> None:
        thread = threads.create("gone")
        threads.append(thread.id, ASKED)
        threads.delete(thread.id)
        threads.delete(thread.id)
        assert threads.list(text="certificate").total == 0
        with pytest.raises(NotFound):
            threads.load(thread.id)
        with pytest.raises(NotFound):
            threads.rename(thread.id, "x")
        with pytest.raises(NotFound):
            threads.append(thread.id, ASKED)

    def test_many_write_at_once(self, threads: Threads) -> None:
        thread = threads.create("busy")
        errors: list[Exception] = []

        def write(number: int) -> None:
            try:
                for position in range(5):
                    threads.append(thread.id, MessageContent(role="user", text=f"{number} {position}"))
            except Exception as error:  # noqa: BLE001 whatever it is, the test shows it
                errors.append(error)

        writers = [threading.Thread(target=write, args=(number,)) for number in range(6)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        assert not errors
        texts = [message.text for message in threads.load(thread.id).messages]
        assert len(texts) == 30
        assert [text for text in texts if text.startswith("3 ")] == [f"3 {position}" for position in range(5)]

    def test_answers_stand_behind_their_questions_where_two_were_asked_at_once(self, threads: Threads) -> None:
        thread = threads.create("two").id
        first = threads.append(thread, MessageContent(role="user", text="first?"))
        second = threads.append(thread, MessageContent(role="user", text="second?"))
        late = threads.append(thread, MessageContent(role="assistant", text="of second"), answers=second.id)
        threads.append(thread, MessageContent(role="assistant", text="of first"), answers=first.id)
        said = ["first?", "of first", "second?", "of second"]
        assert [message.text for message in threads.load(thread).messages] == said
        threads.append(thread, MessageContent(role="assistant", text="again"), instead_of=late.id, answers=second.id)
        assert [message.text for message in threads.load(thread).messages] == [*said[:3], "again"]
