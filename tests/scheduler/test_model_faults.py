"""Questions to model servers with one fault each: whatever a server does, a person gets an answer or reads what happened."""

from collections.abc import Callable, Iterator

import pytest
from odd_models import ANSWER, QUERY, THOUGHT, OddModels, odd_models
from scripted_model import Reply, ScriptedModel

from devops_chatbot.chat import Answer, Event, Failure, Progress, Thought, Token

PAGES = {
    "etcdMembersDown.md": "# etcdMembersDown\n\nA member of etcd is down. Check the member list, then restart the member.",
    "etcdSlow.md": "# etcdSlow\n\nThe disk of etcd is slow.",
    "etcdFull.md": "# etcdFull\n\nThe database of etcd is full.",
}
QUESTION = "What does etcdMembersDown mean?"
KEY = "sk-very-secret"


@pytest.fixture(scope="module")
def odd() -> Iterator[OddModels]:
    with odd_models() as server:
        yield server


@pytest.fixture(autouse=True)
def _nothing_was_asked(odd: OddModels) -> None:
    odd.requests.clear()


@pytest.fixture
def ask(house: Callable, odd: OddModels) -> Callable[..., list[Event]]:
    """The events of a question to a model with this fault."""

    def ask(fault: str, **changes: object) -> list[Event]:
        here = house(pages=PAGES, models={"x": odd.settings(fault, **changes)}, answer=["x"])
        events: list[Event] = here.ask(QUESTION)
        return events

    return ask


def said(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Token))


@pytest.mark.parametrize(
    "fault",
    [
        "ok", "think", "think_unopened", "think_magistral", "think_harmony", "reasoning_content", "reasoning_vllm",
        "reasoning_parts", "empty_choices_first", "no_usage", "usage_each_chunk", "usage_nulls", "null_content", "role_null",
        "role_of_google", "delta_null", "choices_null", "finish_empty", "finish_unknown", "comments", "crlf", "no_space",
        "event_id_retry", "bom", "one_newline", "no_last_newline", "many_lines", "controls",
        "http10", "gzipped", "redirected", "stream_ignored", "busy_once", "loading", "no_stream_options",
        "no_max_tokens", "only_the_least", "no_system_role", "alternating",
    ],
)  # fmt: skip
def test_an_answer_is_the_answer_and_nothing_else(ask: Callable, fault: str) -> None:
    answer = ask(fault)[-1]
    assert isinstance(answer, Answer), answer
    assert answer.text == ANSWER
    assert [citation.number for citation in answer.citations] == [1]
    assert (answer.usage.input_tokens > 0, answer.usage.output_tokens > 0) == (True, True)
    assert not answer.cut


@pytest.mark.parametrize(
    "fault",
    [
        "think", "think_unopened", "think_magistral", "think_harmony", "reasoning_content", "reasoning_vllm",
        "reasoning_parts",
    ],
)  # fmt: skip
def test_thoughts_stand_beside_the_answer(house: Callable, odd: OddModels, fault: str) -> None:
    here = house(pages=PAGES, models={"x": odd.settings(fault)}, answer=["x"])
    thread = here.threads.create()
    events = here.ask(QUESTION, thread_id=thread.id)
    answer = events[-1]
    assert isinstance(answer, Answer)
    assert answer.thought.strip() == THOUGHT
    assert len(answer.citations) == 1  # not [2] and [3] of the thought
    thoughts = [event for event in events if isinstance(event, Thought)]
    if fault == "think_unopened":
        assert [event.recant for event in thoughts] == [True]
    else:
        assert "".join(event.text for event in thoughts).strip() == THOUGHT
        assert said(events) == ANSWER
    kept = here.threads.load(thread.id).messages[-1]
    assert (kept.text, kept.thought) == (ANSWER, answer.thought)
    assert not here.threads.list(text="may help").total  # nobody finds a conversation by a thought
    here.ask("And how do I restart it?", thread_id=thread.id)
    assert "may help" not in str(odd.requests[fault][-1].body)


def test_an_answer_may_speak_of_marks_of_thoughts(ask: Callable) -> None:
    answer = ask("speaks_of_think")[-1]
    assert isinstance(answer, Answer)
    assert "```xml\n<think>\nhm\n</think>\n```" in answer.text
    assert not answer.thought


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("no_finish_clean_end", "ended before the answer did"),
        ("http10_cut", "ended before the answer did"),
        ("reset_mid", "broke off"),
        ("finish_error", "ended the answer with 'error'"),
        ("finish_abort", "ended the answer with 'abort'"),
        ("error_mid", "CUDA out of memory"),
        ("error_event_mid", "CUDA out of memory"),
        ("error_string_mid", "CUDA out of memory"),
        ("error_text_mid", "CUDA out of memory"),
        ("error_object_mid", "CUDA out of memory"),
        ("stall", "said nothing for"),
    ],
)
def test_half_an_answer_is_kept_as_half_an_answer(house: Callable, odd: OddModels, fault: str, says: str) -> None:
    timeout = {"timeout_s": 1.0} if fault == "stall" else {}
    here = house(pages=PAGES, models={"x": odd.settings(fault, **timeout)}, answer=["x"])
    thread = here.threads.create()
    events = here.ask(QUESTION, thread_id=thread.id)
    failure = events[-1]
    assert isinstance(failure, Failure), failure
    assert says in str(failure.reason)
    assert len(odd.requests[fault]) == 1
    kept = here.threads.load(thread.id).messages[-1]
    assert (kept.state, kept.text, kept.error) == ("failed", said(events), failure.reason)
    assert ANSWER.startswith(kept.text)
    assert kept.text


def test_a_stream_that_ends_with_its_mark_is_whole(ask: Callable) -> None:
    answer = ask("done_no_finish")[-1]
    assert isinstance(answer, Answer)
    assert ANSWER.startswith(answer.text)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("no_finish_at_once", "ended before the answer did"),
        ("reasoning_only_length", "1024 tokens (`max_output`) with thinking"),
        ("think_unclosed_length", "1024 tokens (`max_output`) with thinking"),
        ("reasoning_only_stop", "only thought"),
        ("tool_calls", "the tool 'kubectl'"),
        ("content_filter", "refuses to answer"),
        ("error_first", "upstream overloaded"),
        ("error_vllm_context", "maximum context length is 2048 tokens"),
        ("lmstudio_200_error", "Unexpected endpoint or method"),
        ("html_200", "Open WebUI"),
        ("s400_string", "model 'm' does not support chat"),
        ("s401", "Incorrect API key provided"),
        ("s402", "Insufficient credits"),
        ("s403_model", "does not have access to model m"),
        ("s403_html", "403 Forbidden by the gateway"),
        ("s404_path", "does not know the model 'm'"),
        ("s422_detail", "Input should be shorter"),
        ("s429_quota", "exceeded your current quota"),
        ("busy_long", "Rate limit reached"),
        ("s500", "boom"),
        ("s502_behind", "GPU lost"),
        ("s503_loading", "Loading model"),
        ("s529", "Overloaded"),
        ("no_context", "4096 tokens"),
    ],
)
def test_what_goes_wrong_is_told_in_the_providers_own_words(ask: Callable, fault: str, says: str) -> None:
    failure = ask(fault, api_key=KEY)[-1]
    assert isinstance(failure, Failure), failure
    assert failure.error == "ModelUnavailable"
    assert says in str(failure.reason)
    assert "'x'" in str(failure.reason) or "models.x" in str(failure.reason)
    assert len(str(failure.reason)) < 700
    assert KEY not in f"{failure.reason}{failure.reason.text('zh')}"
    assert failure.reason.text("zh") != str(failure.reason)


def test_the_last_usage_counts(ask: Callable) -> None:
    usage = ask("usage_each_chunk", price_output=1_000_000)[-1].usage
    assert (usage.input_tokens, usage.output_tokens, usage.cost) == (100, 20, 20)


@pytest.mark.parametrize(
    ("fault", "text"),
    [("surrogate_split", "Done 😀 then check it [1]."), ("surrogate_alone", "Done � then � check it [1].")],
)
def test_halves_of_a_character_are_put_together(house: Callable, odd: OddModels, fault: str, text: str) -> None:
    here = house(pages=PAGES, models={"x": odd.settings(fault)}, answer=["x"])
    thread = here.threads.create()
    assert here.ask(QUESTION, thread_id=thread.id)[-1].text == text
    assert here.threads.load(thread.id).messages[-1].text == text


def test_bytes_of_a_character_may_come_one_by_one(ask: Callable) -> None:
    assert ask("utf8_split")[-1].text == "先检查成员列表[1]，再重启 😀。"


def test_comments_are_signs_of_life(ask: Callable) -> None:
    assert ask("keep_alive", timeout_s=1.0)[-1].text == ANSWER


@pytest.mark.parametrize("fault", ["forever", "big_chunk", "thinks_forever", "finish_length"])
def test_an_answer_without_end_is_cut_and_says_so(house: Callable, odd: OddModels, fault: str) -> None:
    here = house(pages=PAGES, models={"x": odd.settings(fault, max_output=64)}, answer=["x"])
    thread = here.threads.create()
    last = here.ask(QUESTION, thread_id=thread.id)[-1]
    kept = here.threads.load(thread.id).messages[-1]
    assert len(kept.text) < 1_000
    assert len(kept.thought) < 4_000
    if fault == "thinks_forever":
        assert isinstance(last, Failure)
        assert "with thinking" in str(last.reason)
    else:
        assert isinstance(last, Answer)
        assert last.cut
        assert kept.state == "cut"
        assert "`max_output`" in last.text


def test_a_conversation_goes_on_after_a_question_that_failed(house: Callable, odd: OddModels) -> None:
    here = house(pages=PAGES, models={"x": odd.settings("alternating")}, answer=["x"])
    thread = here.threads.create()
    texts = [QUESTION, "And what makes it go boom?", "It went boom again?", "How do I restart it?", "And the database?"]
    ends = [type(here.ask(text, thread_id=thread.id)[-1]) for text in texts]
    assert ends == [Answer, Failure, Failure, Answer, Answer]
    messages = odd.requests["alternating"][-2].body["messages"]
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user"]
    assert "go boom" in messages[-1]["content"]  # nothing that was said is lost
    assert messages[-1]["content"].rstrip().endswith("How do I restart it?")


@pytest.mark.parametrize("fault", ["no_stream_options", "no_max_tokens", "only_the_least", "no_system_role"])
def test_what_a_server_refuses_is_learned_once(house: Callable, odd: OddModels, fault: str) -> None:
    here = house(pages=PAGES, models={"x": odd.settings(fault, max_output=77, temperature=0.5)}, answer=["x"])
    here.ask(QUESTION)
    learned = len(odd.requests[fault])
    assert isinstance(here.ask(QUESTION)[-1], Answer)
    assert len(odd.requests[fault]) == learned + 1
    body = odd.requests[fault][-1].body
    if fault == "no_max_tokens":
        assert body["max_completion_tokens"] == 77
    if fault == "no_system_role":
        assert "etcdMembersDown" in body["messages"][0]["content"]
        assert body["max_tokens"] == 77


def test_agents_ask_without_what_a_server_refuses(house: Callable, odd: OddModels) -> None:
    here = house(models={"x": odd.settings("only_the_least", max_output=77, temperature=0.5)})
    (model,) = here.models.for_role("answer", named="x")
    said = [here.run(model.open().ainvoke("What does etcdMembersDown mean?")).text for _ in range(2)]
    assert said == [ANSWER, ANSWER]
    assert [
        set(request.body) & {"max_tokens", "max_completion_tokens"} != set()
        for request in odd.requests["only_the_least"]
    ][-2:] == [False, False]


def test_a_wait_is_told(ask: Callable) -> None:
    events = ask("busy_once")
    waits = [event for event in events if isinstance(event, Progress) and event.stage == "waiting"]
    assert len(waits) == 1
    assert "slow down" in str(waits[0].what)
    assert "Trying again in 1 s" in str(waits[0].what)


def test_nobody_waits_where_another_model_can_answer(house: Callable, odd: OddModels) -> None:
    models = {"busy": odd.settings("busy_long"), "free": odd.settings("ok")}
    events = house(pages=PAGES, models=models, answer=["busy", "free"]).ask(QUESTION)
    assert events[-1].model == "free"
    stages = [event.stage for event in events if isinstance(event, Progress)]
    assert "fallback" in stages
    assert "waiting" not in stages


def test_a_prompt_that_is_too_long_is_made_shorter_once(house: Callable, odd: OddModels) -> None:
    pages = {f"etcd{number}.md": f"# etcd{number}\n\n" + "Check the member list. " * 30 for number in range(8)}
    here = house(pages=pages, models={"x": odd.settings("small_context", context=4096)}, answer=["x"])
    assert isinstance(here.ask(QUESTION)[-1], Answer)
    assert [request.size > 2_500 for request in odd.requests["small_context"]] == [True, False]
    assert "etcd" in odd.requests["small_context"][-1].last
    assert isinstance(here.ask(QUESTION)[-1], Answer)
    assert len(odd.requests["small_context"]) == 3  # it was learned


@pytest.mark.parametrize(
    ("fault", "query"),
    [
        ("route_think", QUERY),
        ("route_reasoning", QUERY),
        ("route_sure", QUERY),
        ("route_same_line", QUERY),
        ("route_after", QUERY),
        ("route_only_phrase", "etcdMembersDown what is its impact?"),
        ("route_thinks_on", "etcdMembersDown what is its impact?"),
        ("route_answers", "etcdMembersDown what is its impact?"),
        ("s500", "etcdMembersDown what is its impact?"),
    ],
)
def test_only_a_query_is_searched(house: Callable, odd: OddModels, fault: str, query: str) -> None:
    models = {"small": odd.settings(fault), "x": odd.settings("ok")}
    here = house(pages=PAGES, models=models, answer=["x"], route=["small"])
    thread = here.threads.create()
    here.ask(QUESTION, thread_id=thread.id)
    here.ask("what is its impact?", thread_id=thread.id)
    assert here.library.queries[-1] == query


def test_an_answer_without_citations_shows_what_the_model_was_given(house: Callable) -> None:
    with ScriptedModel([Reply(text="I would restart it.")]) as model:
        here = house(pages=PAGES, models={"x": model.settings()}, answer=["x"])
        thread = here.threads.create()
        answer = here.ask(QUESTION, thread_id=thread.id)[-1]
        assert isinstance(answer, Answer)
        assert not answer.citations
        assert answer.given[0].source_uri == "etcdMembersDown.md"
        assert "Check the member list" in answer.given[0].quote
        assert here.threads.load(thread.id).messages[-1].given == answer.given
        talk = here.ask("Tell me a joke.", scenario="chat")[-1]
        assert isinstance(talk, Answer)
        assert not talk.given


def test_the_test_of_a_model_hears_it_think(house: Callable, odd: OddModels) -> None:
    here = house(models={"x": odd.settings("reasoning_only_length"), "y": odd.settings("think")})
    assert "The user asks about etcd" in str(here.run(here.models.test("x")).detail)
    assert "Check the member list" in str(here.run(here.models.test("y")).detail)
