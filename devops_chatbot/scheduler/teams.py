"""Lets a scenario's team work in the order of its flow; what a member has finished is never done again."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import cast

from devops_chatbot.calls import Proposal, ToolCall
from devops_chatbot.chat import Agent, Evidence, Found, Note, Paused, Progress, Question, Resumed, Route, Scenario, Task
from devops_chatbot.team import Member

Step = Evidence | Progress | ToolCall | Note
"""What a team's work consists of, as others see it."""
AGREED = "agree"
"""What a checker's conclusion begins with, in any case of letters, when there is nothing left to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a step of a flow has found."""

    evidence: tuple[Evidence, ...] = ()
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A step that waits for people, with what it had found before."""

    proposals: tuple[Proposal, ...]
    memory: str
    found: Outcome


@dataclass(slots=True, kw_only=True)
class Journal:
    """The steps of a flow by their key: those that are done, and those that wait. It outlives the process."""

    done: dict[str, Outcome] = field(default_factory=dict)
    waiting: dict[str, Pause] = field(default_factory=dict)

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """What was found, in order, each reference once."""
        every = (each for outcome in self.done.values() for each in outcome.evidence)
        return tuple({each.ref: each for each in every}.values())

    @property
    def notes(self) -> tuple[Note, ...]:
        return tuple(note for outcome in self.done.values() for note in outcome.notes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspended:
    """A question between routing and writing, as it is kept while it waits. `calls` are all that were made or proposed."""

    question: Question
    query: str
    route: Route
    journal: Journal = field(default_factory=Journal)
    calls: tuple[ToolCall, ...] = ()
    outcomes: dict[str, ToolCall] = field(default_factory=dict)
    """What became of the calls that waited, by id."""


NOBODY = Member(agent="", name="")
"""The place in the team of a task that is not given to anybody yet."""


class TeamRun:
    """One question's way through a team. `base` is the task without a member; `outcomes` are those of calls that waited.

    The flow is followed from its beginning each time; a step that stands in the journal gives what it had found.
    """

    def __init__(
        self,
        scenario: Scenario,
        agents: Mapping[str, Agent],
        base: Task,
        journal: Journal,
        outcomes: Mapping[str, ToolCall],
    ) -> None:
        self._scenario = scenario
        self._agents = agents
        self._base = base
        self._journal = journal
        self._outcomes = outcomes
        self._members = {member.name: member for member in scenario.agents}

    async def events(self) -> AsyncGenerator[Step]:
        """What the members find, as it comes. Ends early where a step waits for people, which stands in the journal then."""
        steps = {
            "sequence": self._sequence,
            "parallel": self._parallel,
            "loop": self._loop,
            "choose": self._choose,
            "plan": self._plan,
        }[self._scenario.flow.kind]()
        async with aclosing(steps) as found:
            async for event in found:
                yield event

    async def _sequence(self) -> AsyncGenerator[Step]:
        for member in self._scenario.agents:
            async for event in self._step(member.name, member):
                yield event
            if member.name in self._journal.waiting:
                return

    async def _parallel(self) -> AsyncGenerator[Step]:
        """Everybody at once; where one waits, the others finish."""
        known = self._known()
        async for event in _merged([self._step(each.name, each, known) for each in self._scenario.agents]):
            yield event

    async def _loop(self) -> AsyncGenerator[Step]:
        checker = self._members[self._scenario.flow.checker or ""]
        workers = [member for member in self._scenario.agents if member is not checker]
        for number in range(1, self._scenario.flow.rounds + 1):
            for member in (*workers, checker):
                key = f"{number}/{member.name}"
                async for event in self._step(key, member):
                    yield event
                if key in self._journal.waiting:
                    return
            if self._said(f"{number}/{checker.name}").lower().lstrip("*# ").startswith(AGREED):
                return

    async def _choose(self) -> AsyncGenerator[Step]:
        """A member without tools names one of the others; the first one where it names none."""
        offered = "\n".join(f"- {each.name}: {each.task.get('en', '')}" for each in self._scenario.agents)
        chooser = Member(
            agent="tools",
            name="chooser",
            task={"en": f"Choose who should answer. Reply with nothing but one of these names:\n{offered}"},
        )
        async for event in self._step("chooser", chooser):
            yield event
        said = {word.strip("`*.,:;\"'") for word in self._said("chooser").split()}
        chosen = next((each for each in self._scenario.agents if each.name in said), self._scenario.agents[0])
        async for event in self._step(chosen.name, chosen):
            yield event

    async def _plan(self) -> AsyncGenerator[Step]:
        """The planner's conclusion is a JSON list of `{"member", "step"}`; the steps are done in order."""
        planner = self._members[self._scenario.flow.planner or ""]
        async for event in self._step(planner.name, planner):
            yield event
        workers = {member.name: member for member in self._scenario.agents if member is not planner}
        steps = planned(self._said(planner.name), workers)[: self._scenario.flow.rounds]
        for number, (member, step) in enumerate(steps, 1):
            task = {language: f"{text}\n\n{step}".strip() for language, text in (member.task or {"en": ""}).items()}
            key = f"{number}/{member.name}"
            async for event in self._step(key, replace(member, task=task)):
                yield event
            if key in self._journal.waiting:
                return

    async def _step(self, key: str, member: Member, known: Outcome | None = None) -> AsyncGenerator[Step]:
        """One member's work, unless it stands in the journal already."""
        if key in self._journal.done:
            return
        known = known or self._known()
        task = replace(self._base, member=member, evidence=known.evidence, notes=known.notes)
        before = self._journal.waiting.pop(key, None)
        evidence: list[Evidence] = list(before.found.evidence) if before else []
        notes: list[Note] = list(before.found.notes) if before else []
        if before:
            calls = tuple(self._outcomes[each.call.id] for each in before.proposals)
            resumed = Resumed(memory=before.memory, calls=calls)
            task = replace(task, evidence=(*task.evidence, *evidence), resumed=resumed)
        paused: Paused | None = None
        async with aclosing(cast("AsyncGenerator[Found]", self._agents[member.agent].gather(task))) as found:
            async for event in found:
                if isinstance(event, Paused):
                    paused = event
                    continue
                if isinstance(event, Evidence):
                    evidence.append(event)
                elif isinstance(event, Note):
                    notes.append(event)
                yield event
        outcome = Outcome(evidence=tuple(evidence), notes=tuple(notes))
        if paused is None:
            self._journal.done[key] = outcome
        else:
            self._journal.waiting[key] = Pause(proposals=paused.proposals, memory=paused.memory, found=outcome)

    def _known(self) -> Outcome:
        return Outcome(evidence=self._journal.evidence, notes=self._journal.notes)

    def _said(self, key: str) -> str:
        done = self._journal.done.get(key)
        return " ".join(note.text for note in done.notes) if done else ""


def planned(said: str, members: Mapping[str, Member]) -> list[tuple[Member, str]]:
    """The steps of a plan; one whose member does not exist goes to the first member. A text that is no plan is one step."""
    first = next(iter(members.values()))
    start, end = said.find("["), said.rfind("]")
    try:
        steps = json.loads(said[start : end + 1]) if 0 <= start < end else []
        found = [(members.get(str(each.get("member")), first), str(each.get("step", "")).strip()) for each in steps]
    except (ValueError, AttributeError):
        found = []
    return [each for each in found if each[1]] or [(first, said.strip())]


async def _merged(streams: Sequence[AsyncGenerator[Step]]) -> AsyncIterator[Step]:
    """The events of all, as they come. The first error ends the others and is raised."""
    heard: asyncio.Queue[Step | None] = asyncio.Queue()

    async def listen(stream: AsyncGenerator[Step]) -> None:
        try:
            async with aclosing(stream):
                async for event in stream:
                    heard.put_nowait(event)
        finally:
            heard.put_nowait(None)

    tasks = [asyncio.create_task(listen(stream)) for stream in streams]
    try:
        ended = 0
        while ended < len(tasks):
            event = await heard.get()
            if event is not None:
                yield event
                continue
            ended += 1
            for task in tasks:
                if task.done():
                    task.result()
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
