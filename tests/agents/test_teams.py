"""Flows: who works when, with what is known, and what is never done again."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from devops_chatbot.access.principals import LOCAL
from devops_chatbot.calls import Proposal, ToolCall
from devops_chatbot.chat import Evidence, Found, Note, Paused, Question, Route, Scenario, Task
from devops_chatbot.errors import ModelUnavailable
from devops_chatbot.scheduler.teams import NOBODY, Journal, Suspended, TeamRun
from devops_chatbot.team import Flow, Member
from devops_chatbot.values import from_json, to_json

Says = Callable[[Task], Sequence[Found]]


@dataclass
class Worker:
    """An agent that does as it is told, and remembers the tasks."""

    says: Mapping[str, Says]
    tasks: list[Task] = field(default_factory=list)
    name: str = "tools"
    purpose: str = ""

    async def gather(self, task: Task) -> AsyncGenerator[Found]:
        self.tasks.append(task)
        for each in self.says[task.member.name](task):
            await asyncio.sleep(0)
            yield each

    def worked(self) -> list[str]:
        return [task.member.name for task in self.tasks]


def found(name: str) -> Sequence[Found]:
    evidence = Evidence(ref=f"r-{name}", title=name, text=name, context=name, source_uri=name)
    return [evidence, Note(agent=name, text=f"{name} is done")]


def says(text: str) -> Says:
    return lambda task: [Note(agent=task.member.name, text=text)]


def waits(task: Task) -> Sequence[Found]:
    """Pauses once, then reports what became of its call."""
    if task.resumed is None:
        call = ToolCall(id=f"c-{task.member.name}", tool="changes", effect="write", state="waiting")
        return [*found(f"{task.member.name}-before"), Paused(proposals=(Proposal(call=call),), memory="half")]
    assert task.resumed.memory == "half"
    return [Note(agent=task.member.name, text=task.resumed.calls[0].text)]


def team(flow: Flow, *names: str) -> Scenario:
    members = tuple(Member(agent="tools", name=name, task={"en": f"Be {name}."}) for name in names)
    return Scenario(name="t", title={"en": "t"}, purpose={"en": "t"}, prompt={"en": "t"}, agents=members, flow=flow)


def run(
    scenario: Scenario, worker: Worker, journal: Journal | None = None, outcomes: Mapping[str, ToolCall] | None = None
) -> Journal:
    journal = journal or Journal()
    question = Question(text="Why?", principal=LOCAL)
    base = Task(question=question, query="Why?", route=Route(scenario="t"), member=NOBODY)

    async def listen() -> None:
        async for _ in TeamRun(scenario, {"tools": worker}, base, journal, outcomes or {}).events():
            pass

    asyncio.run(listen())
    return journal


def test_in_a_sequence_each_knows_what_those_before_found() -> None:
    worker = Worker({name: lambda task: found(task.member.name) for name in "abc"})
    journal = run(team(Flow(), "a", "b", "c"), worker)
    assert worker.worked() == ["a", "b", "c"]
    assert [[each.ref for each in task.evidence] for task in worker.tasks] == [[], ["r-a"], ["r-a", "r-b"]]
    assert [note.text for note in worker.tasks[2].notes] == ["a is done", "b is done"]
    assert [each.ref for each in journal.evidence] == ["r-a", "r-b", "r-c"]


def test_in_parallel_nobody_waits_for_another() -> None:
    met = asyncio.Event()

    class Meeting(Worker):
        async def gather(self, task: Task) -> AsyncGenerator[Found]:
            self.tasks.append(task)
            if task.member.name == "a":
                await asyncio.wait_for(met.wait(), 60)
            met.set()
            for each in found(task.member.name):
                yield each

    worker = Meeting({})
    journal = run(team(Flow(kind="parallel"), "a", "b"), worker)
    assert all(not task.evidence for task in worker.tasks)
    assert {each.ref for each in journal.evidence} == {"r-a", "r-b"}


def test_an_error_of_one_in_parallel_ends_all() -> None:
    def fails(_: Task) -> Sequence[Found]:
        raise ModelUnavailable("agent.no_model")

    with pytest.raises(ModelUnavailable):
        run(team(Flow(kind="parallel"), "a", "b"), Worker({"a": fails, "b": lambda _: found("b")}))


def test_a_loop_goes_on_until_the_checker_agrees() -> None:
    verdicts: Iterator[str] = iter(["DISAGREE: the disk was not looked at", "**Agree**, all is said"])
    worker = Worker({"a": lambda _: found("a"), "judge": lambda task: says(next(verdicts))(task)})
    run(team(Flow(kind="loop", checker="judge", rounds=5), "a", "judge"), worker)
    assert worker.worked() == ["a", "judge", "a", "judge"]
    assert any("the disk was not looked at" in note.text for note in worker.tasks[2].notes)

    never = Worker({"a": lambda _: found("a"), "judge": says("no")})
    run(team(Flow(kind="loop", checker="judge", rounds=3), "a", "judge"), never)
    assert never.worked() == ["a", "judge"] * 3


def test_one_is_chosen() -> None:
    worker = Worker({"chooser": says("b"), "a": lambda _: found("a"), "b": lambda _: found("b")})
    run(team(Flow(kind="choose"), "a", "b"), worker)
    assert worker.worked() == ["chooser", "b"]
    assert "Be a." in worker.tasks[0].member.task["en"]
    lost = Worker({"chooser": says("nobody"), "a": lambda _: found("a"), "b": lambda _: found("b")})
    run(team(Flow(kind="choose"), "a", "b"), lost)
    assert lost.worked() == ["chooser", "a"]


@pytest.mark.parametrize(
    ("plan", "done"),
    [
        ('Here: [{"member": "b", "step": "look"}, {"member": "x", "step": "think"}]', [("b", "look"), ("a", "think")]),
        ("Look at everything.", [("a", "Look at everything.")]),
        ('[{"member": "a"', [("a", '[{"member": "a"')]),
    ],
)
def test_a_plan_is_made_and_its_steps_are_done(plan: str, done: list[tuple[str, str]]) -> None:
    worker = Worker({"planner": says(plan), "a": lambda _: found("a"), "b": lambda _: found("b")})
    run(team(Flow(kind="plan", planner="planner"), "planner", "a", "b"), worker)
    assert [(task.member.name, task.member.task["en"].partition("\n\n")[2]) for task in worker.tasks[1:]] == done


@pytest.mark.parametrize("kind", ["sequence", "parallel"])
def test_who_waited_goes_on_and_nothing_else_is_done_again(kind: str) -> None:
    scenario = team(Flow(kind=kind), "a", "b", "c")  # type: ignore[arg-type]
    worker = Worker({"a": lambda _: found("a"), "b": waits, "c": lambda _: found("c")})
    journal = run(scenario, worker)
    assert list(journal.waiting) == ["b"]
    assert sorted(worker.worked()) == (["a", "b"] if kind == "sequence" else ["a", "b", "c"])

    kept = Suspended(
        question=Question(text="Why?", principal=LOCAL), query="Why?", route=Route(scenario="t"), journal=journal
    )
    again = from_json(Suspended, to_json(kept)).journal
    assert again == journal
    done = replace(journal.waiting["b"].proposals[0].call, state="done", text="changed")
    journal = run(scenario, worker, again, {done.id: done})
    assert not journal.waiting
    assert sorted(worker.worked()) == ["a", "b", "b", "c"]
    assert [note.text for note in journal.done["b"].notes] == ["b-before is done", "changed"]
    assert {each.ref for each in journal.evidence} == {"r-a", "r-b-before", "r-c"}
