"""Every provider's own protocol, spoken by a scripted server, asked through the scheduler as a question is."""

from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass

import pytest
from patience import PATIENCE_S
from scripted_model import Reply, ScriptedModel

from devops_chatbot.access.principals import LOCAL
from devops_chatbot.chat import Answer, Event, Failure, Progress, Question, Token
from devops_chatbot.config.settings import ModelSettings
from devops_chatbot.errors import ConfigError
from devops_chatbot.llm.providers import Remote

PAGES = {"EtcdSlow.md": "EtcdSlow fires when etcd is slow to commit. Check the disk."}
QUESTION = "What does EtcdSlow mean?"
KEY = "sk-very-secret"


@dataclass(frozen=True, kw_only=True)
class Case:
    """A provider, where it is asked, and the header that carries the key."""

    provider: str
    path: str
    header: tuple[str, str]
    more: Mapping[str, object]
    below: str = ""

    def settings(self, server: ScriptedModel, **more: object) -> dict[str, object]:
        base = server.root + self.below
        return {
            "provider": self.provider, "model": "m-1", "base_url": base, "api_key": KEY, "timeout_s": PATIENCE_S,
            **self.more, **more,
        }  # fmt: skip


CASES = (
    Case(
        provider="openai", path="/v1/chat/completions", header=("authorization", f"Bearer {KEY}"), more={}, below="/v1"
    ),
    Case(
        provider="openai-compatible",
        path="/v1/chat/completions",
        header=("authorization", f"Bearer {KEY}"),
        more={},
        below="/v1",
    ),
    Case(
        provider="azure",
        path="/openai/deployments/m-1/chat/completions?api-version=2024-10-21",
        header=("api-key", KEY),
        more={"api_version": "2024-10-21"},
    ),
    Case(provider="anthropic", path="/v1/messages", header=("authorization", f"Bearer {KEY}"), more={}),
    Case(provider="ollama", path="/api/chat", header=("authorization", f"Bearer {KEY}"), more={}),
)
every_provider = pytest.mark.parametrize("case", CASES, ids=lambda case: case.provider)


def said(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Token))


@every_provider
def test_an_answer_streams_with_its_usage_and_its_price(house: Callable, case: Case) -> None:
    text = "The disk is slow [1]. Look at it."
    with ScriptedModel([Reply(text=text, usage=(120, 30))]) as server:
        settings = case.settings(server, price_input=10, price_output=100, max_output=77, temperature=0.5)
        events = house(pages=PAGES, models={"x": settings}, answer=["x"]).ask(QUESTION)
        body, path, headers = server.requests[0], server.paths[0], server.headers[0]
    answer = events[-1]
    assert isinstance(answer, Answer), answer
    assert (answer.text, said(events)) == (text, text)
    assert sum(isinstance(event, Token) for event in events) > 2
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (120, 30)
    assert answer.usage.cost == pytest.approx((120 * 10 + 30 * 100) / 1_000_000)
    assert path == case.path
    assert headers[case.header[0]] == case.header[1]
    options = body.get("options", body)
    limits = [options.get(name) for name in ("max_tokens", "max_completion_tokens", "num_predict")]
    assert [limit for limit in limits if limit] == [77]
    assert options["temperature"] == 0.5
    assert body["stream"] is True
    assert "EtcdSlow fires when" in str(body["messages"])


@every_provider
def test_what_a_model_may_read_bounds_its_prompt(house: Callable, case: Case) -> None:
    pages = {f"EtcdSlow{number}.md": f"EtcdSlow {number}. " + "Check the disk of etcd. " * 60 for number in range(8)}
    sizes = []
    with ScriptedModel([Reply(text="Yes [1].")]) as server:
        for context in (2_000, 32_000):
            house(pages=pages, models={"x": case.settings(server, context=context)}, answer=["x"]).ask(QUESTION)
            sizes.append(len(str(server.requests[-1]["messages"])))
    assert sizes[0] < 2_000 * 3
    assert sizes[1] > 2 * sizes[0]


@every_provider
@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (Reply(status=401), "models.x.api_key"),
        (Reply(status=404), "models.x.model"),
        (Reply(status=429), "rate limit"),
        (Reply(status=500), "status 500"),
        (Reply(garbage=True), "Check models.x.base_url and models.x.provider."),
        (Reply(text="late", first_s=60), "nothing for|did not answer"),
        (Reply(text=""), "empty answer"),
    ],
    ids=["401", "404", "429", "500", "garbage", "slow", "empty"],
)
def test_what_goes_wrong_names_the_model_and_what_to_do(house: Callable, case: Case, reply: Reply, says: str) -> None:
    with ScriptedModel([reply]) as server:
        settings = case.settings(server, timeout_s=0.4 if reply.first_s else PATIENCE_S)
        failure = house(pages=PAGES, models={"x": settings}, answer=["x"]).ask(QUESTION)[-1]
    assert isinstance(failure, Failure)
    assert failure.error == "ModelUnavailable"
    assert any(one in str(failure.reason) for one in says.split("|")), str(failure.reason)
    assert "'x'" in str(failure.reason) or "models.x" in str(failure.reason)
    assert any(word in str(failure.reason) for word in ("Check", "Try", "Ask")), str(failure.reason)
    assert KEY not in str(failure.reason)


@every_provider
def test_a_broken_stream_keeps_what_was_said_and_why_it_ended(house: Callable, case: Case) -> None:
    with ScriptedModel([Reply(text="one two three four five", piece=4, breaks_after=3)]) as server:
        here = house(pages=PAGES, models={"x": case.settings(server)}, answer=["x"])
        thread = here.threads.create()
        events = here.ask(QUESTION, thread_id=thread.id)
    failure = events[-1]
    assert isinstance(failure, Failure)
    kept = here.threads.load(thread.id).messages[-1]
    assert (kept.state, kept.text, kept.error) == ("failed", said(events), failure.reason)
    assert said(events).startswith("one two")
    assert "broke off" in str(kept.error)


@every_provider
def test_an_answer_that_ends_before_its_end_is_half_an_answer(house: Callable, case: Case) -> None:
    with ScriptedModel([Reply(text="one two three four five", piece=4, ends_after=3)]) as server:
        here = house(pages=PAGES, models={"x": case.settings(server)}, answer=["x"])
        thread = here.threads.create()
        failure = here.ask(QUESTION, thread_id=thread.id)[-1]
    assert isinstance(failure, Failure)
    assert "ended before the answer did" in str(failure.reason)
    kept = here.threads.load(thread.id).messages[-1]
    assert (kept.state, kept.text[:7]) == ("failed", "one two")


@every_provider
def test_what_a_model_thinks_is_no_part_of_its_answer(house: Callable, case: Case) -> None:
    with ScriptedModel([Reply(text="The disk [1].", thought="Is it the disk [2]?")]) as server:
        answer = house(pages=PAGES, models={"x": case.settings(server)}, answer=["x"]).ask(QUESTION)[-1]
        body = server.requests[-1]
    assert isinstance(answer, Answer)
    assert (answer.text, answer.thought) == ("The disk [1].", "Is it the disk [2]?")
    assert len(answer.citations) == 1
    assert not {"think", "thinking", "reasoning"} & {
        name for name, value in body.items() if value
    }  # nobody asked for it


@every_provider
def test_a_model_that_fails_gives_way_to_the_next_one(house: Callable, case: Case) -> None:
    with ScriptedModel([Reply(status=500)]) as bad, ScriptedModel([Reply(text="The disk [1].")]) as good:
        models = {"bad": case.settings(bad), "good": good.settings()}
        events = house(pages=PAGES, models=models, answer=["bad", "good"]).ask(QUESTION)
    assert isinstance(events[-1], Answer)
    assert events[-1].model == "good"
    assert any(
        isinstance(event, Progress) and event.stage == "fallback" and "'bad'" in str(event.what) for event in events
    )


@every_provider
def test_an_answer_that_is_cut_says_so(house: Callable, case: Case) -> None:
    with ScriptedModel([Reply(text="Too long", finish="length")]) as server:
        answer = house(pages=PAGES, models={"x": case.settings(server, max_output=16)}, answer=["x"]).ask(QUESTION)[-1]
    assert isinstance(answer, Answer)
    assert "cut at 16 tokens" in answer.text


@pytest.mark.parametrize("case", CASES[:4], ids=lambda case: case.provider)
def test_a_refusal_is_told_as_one(house: Callable, case: Case) -> None:
    with ScriptedModel([Reply(refusal="I will not help with that.")]) as server:
        here = house(pages=PAGES, models={"x": case.settings(server)}, answer=["x"])
        thread = here.threads.create()
        failure = here.ask(QUESTION, thread_id=thread.id)[-1]
    assert isinstance(failure, Failure)
    assert "'x' refuses to answer" in str(failure.reason)
    assert "I will not help with that." in str(failure.reason)
    assert here.threads.load(thread.id).messages[-1].error == failure.reason


def test_a_filter_that_steps_in_midway_keeps_what_was_said(house: Callable) -> None:
    with ScriptedModel([Reply(text="Half of an answer", finish="content_filter")]) as server:
        here = house(pages=PAGES, models={"x": server.settings()}, answer=["x"])
        thread = here.threads.create()
        failure = here.ask(QUESTION, thread_id=thread.id)[-1]
    assert isinstance(failure, Failure)
    assert "refuses to go on" in str(failure.reason)
    assert here.threads.load(thread.id).messages[-1].text == "Half of an answer"


@every_provider
def test_leaving_closes_the_connection_and_keeps_what_was_said(house: Callable, case: Case) -> None:
    with ScriptedModel([Reply(text="word " * 400, piece=5, pause_s=0.02)]) as server:
        here = house(pages=PAGES, models={"x": case.settings(server)}, answer=["x"])
        thread = here.threads.create()

        async def leave() -> None:
            asking = here.scheduler.ask(Question(principal=LOCAL, text=QUESTION, thread_id=thread.id))
            async with aclosing(asking) as events:
                async for event in events:
                    if isinstance(event, Token):
                        return

        here.run(leave())
        server.until_left()
    kept = here.threads.load(thread.id).messages[-1]
    assert (kept.state, kept.text[:4]) == ("stopped", "word")


@every_provider
def test_the_test_button_calls_the_model(house: Callable, case: Case) -> None:
    with ScriptedModel([Reply(text="ready")]) as server:
        here = house(models={"x": case.settings(server)})
        result = here.run(here.models.test("x"))
    assert (result.ok, str(result.detail)) == (True, "It said: ready")


@pytest.mark.parametrize(
    "reply",
    [
        *(Reply(status=status) for status in (400, 401, 404, 429, 500)),
        Reply(text=""),
        Reply(garbage=True),
        Reply(refusal="I will not."),
        Reply(text="one two three", piece=4, breaks_after=2),
    ],
)
def test_what_goes_wrong_is_told_in_chinese_too(house: Callable, reply: Reply) -> None:
    with ScriptedModel([reply]) as server:
        failure = house(pages=PAGES, models={"x": server.settings()}, answer=["x"]).ask(QUESTION)[-1]
    assert isinstance(failure, Failure)
    assert failure.reason.text("zh") != str(failure.reason)


@every_provider
def test_opening_a_model_says_nothing_in_the_log(case: Case, recwarn: pytest.WarningsRecorder) -> None:
    with ScriptedModel() as server:
        Remote("x", ModelSettings.model_validate(case.settings(server))).open()
    assert not [warning for warning in recwarn if warning.category is UserWarning]


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_a_missing_key_names_the_setting(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match=r"models\.x\.api_key is not set"):
        Remote("x", ModelSettings(provider=provider, model="m")).open()  # type: ignore[arg-type]
