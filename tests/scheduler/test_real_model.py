"""Questions to a real language model. What it says is poor; that it streams, stops, counts and has a context is real."""

from collections.abc import Callable
from contextlib import aclosing

import pytest
from patience import wait_until
from real_model import CONTEXT, RealModel
from scripted_model import ScriptedModel

from devops_chatbot.access.principals import LOCAL
from devops_chatbot.chat import Answer, Evidence, Question, Token

pytestmark = pytest.mark.service

MAX_OUTPUT = 64
ENGLISH = "Check the member list of etcd with `etcdctl member list`, then move the data of 10.2.3.4 to a faster disk. "
CHINESE = "请先检查集群成员列表，确认磁盘延迟与网络抖动，然后逐个重启成员，并在变更记录中写明原因。"
LOG = "2026-11-27T17:03:05.119Z ERROR [pool-7] 10.2.3.41:5432 request_id=9f86d081884c7d65 took 733 ms\n"


def pages(text: str) -> dict[str, str]:
    return {f"etcd{number}.md": f"# etcd {number}\n\n" + text * (2000 // len(text)) for number in range(8)}


def test_an_answer_streams_is_cut_at_its_limit_and_counted(house: Callable, smollm2: RealModel) -> None:
    here = house(pages=pages(ENGLISH), models={"small": smollm2.settings()}, answer=["small"])
    thread = here.threads.create()
    events = here.ask("What should I check when etcd is slow?", thread_id=thread.id)
    answer = events[-1]
    assert isinstance(answer, Answer), answer
    tokens = [event.text for event in events if isinstance(event, Token)]
    assert "".join(tokens) == answer.text
    assert len(tokens) > 5
    assert 1 < answer.usage.output_tokens <= MAX_OUTPUT
    assert CONTEXT / 2 < answer.usage.input_tokens <= CONTEXT - MAX_OUTPUT
    assert answer.cut is (answer.usage.output_tokens == MAX_OUTPUT)
    kept = here.threads.load(thread.id).messages[-1]
    assert (kept.text, kept.given, kept.citations) == (answer.text, answer.given, answer.citations)
    assert answer.citations or answer.given  # a model that cites nothing does not pass for one that has read something


@pytest.mark.parametrize(
    ("text", "question"),
    [(LOG, "Which request of etcd took 733 ms?"), (CHINESE, "What do the logs of etcd say? " + LOG * 60)],
    ids=["log", "pasted"],
)
def test_a_prompt_fits_the_models_own_tokenizer(house: Callable, smollm2: RealModel, text: str, question: str) -> None:
    here = house(pages=pages(text), models={"small": smollm2.settings(max_output=16)}, answer=["small"])
    events = here.ask(question)
    answer = events[-1]
    assert any(isinstance(event, Evidence) for event in events)
    assert isinstance(answer, Answer), answer
    assert CONTEXT / 3 < answer.usage.input_tokens <= CONTEXT - 16


def test_leaving_stops_the_work_of_the_model(house: Callable, smollm2: RealModel) -> None:
    here = house(models={"small": smollm2.settings(max_output=512)}, answer=["small"])
    thread = here.threads.create()

    async def leave() -> None:
        question = Question(principal=LOCAL, text="Tell me a long story.", scenario="chat", thread_id=thread.id)
        async with aclosing(here.scheduler.ask(question)) as events:
            async for event in events:
                if isinstance(event, Token):
                    assert smollm2.busy()
                    return

    here.run(leave())
    wait_until(lambda: not smollm2.busy())
    kept = here.threads.load(thread.id).messages[-1]
    assert kept.state == "stopped"
    assert kept.text


def test_chinese_fits_though_the_settings_overstate_the_context(house: Callable, smollm2: RealModel) -> None:
    settings = smollm2.settings(context=8192, max_output=16)
    here = house(pages=pages(CHINESE), models={"small": settings}, answer=["small"])
    answer = here.ask("集群成员列表要怎么检查？")[-1]
    assert isinstance(answer, Answer), answer
    assert answer.usage.input_tokens <= CONTEXT
    assert here.models.names()[0].context == CONTEXT


def test_the_words_of_a_weak_model_are_no_query(house: Callable, smollm2: RealModel) -> None:
    with ScriptedModel() as large:
        models = {"small": smollm2.settings(max_output=48), "large": large.settings()}
        here = house(pages=pages(ENGLISH), models=models, answer=["large"], route=["small"])
        thread = here.threads.create()
        here.ask("What should I check when etcd is slow?", thread_id=thread.id)
        assert isinstance(here.ask("and the disk?", thread_id=thread.id)[-1], Answer)
    assert "disk" in here.library.queries[-1]
    assert len(here.library.queries[-1]) < 120
    assert here.models.for_role("route")[0].state == "ready"


def test_the_test_button_reaches_it(house: Callable, smollm2: RealModel) -> None:
    here = house(models={"org/smollm2:free": smollm2.settings()})
    result = here.run(here.models.test("org/smollm2:free"))
    assert result.ok
    wrong = house(models={"small": smollm2.settings(base_url=f"{smollm2.url}/nowhere/v1")})
    assert "models.small.base_url" in str(wrong.run(wrong.models.test("small")).detail)
