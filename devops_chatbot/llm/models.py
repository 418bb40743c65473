"""The models that the settings name, the built-in one, and which of them does which work."""

import asyncio
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import aclosing

from devops_chatbot.config.settings import EXTRACTIVE, ModelSettings
from devops_chatbot.errors import BadQuestion, ChatbotError, NotFound
from devops_chatbot.i18n import Reason
from devops_chatbot.llm.assignments import RoleAssignments
from devops_chatbot.llm.named import NamedModel
from devops_chatbot.llm.providers import Remote
from devops_chatbot.llm.reply import Reply
from devops_chatbot.status import ModelInfo, Trial

TEST_SECONDS = 30
SAID = 200
ANSWER = "answer"


class Models:
    """Every language model. Nothing is opened before its first use. Safe for concurrent use.

    A role that was switched at run time (`assign`) stays so over restarts; else the settings' `roles` hold. Where
    nobody is left to answer, the built-in model does.
    """

    def __init__(
        self,
        models: Mapping[str, ModelSettings],
        roles: Mapping[str, Sequence[str]],
        *,
        assignments: RoleAssignments,
    ) -> None:
        self._models = {name: _named(name, settings) for name, settings in models.items()}
        self._models[EXTRACTIVE] = _extractive()
        self._roles = {role: tuple(names) for role, names in roles.items()}
        self._assignments = assignments
        self._switched: dict[str, tuple[str, ...]] | None = None
        self._lock = threading.Lock()

    def names(self) -> list[ModelInfo]:
        """Every model, the built-in one last."""
        roles = {role: self.assigned(role) for role in self._roles}
        return [
            ModelInfo(
                name=model.name,
                provider=model.provider,
                model=model.model,
                context=model.context,
                roles=tuple(role for role, names in roles.items() if model.name in names),
                state=model.state,
                why=model.why,
                extractive=model.extractive,
            )
            for model in self._models.values()
        ]

    def assigned(self, role: str) -> tuple[str, ...]:
        """The names of the models that do this work, the first reachable one first; empty: no language model."""
        with self._lock:
            if self._switched is None:
                self._switched = self._assignments.load()
            switched = self._switched.get(role)
        if switched is None:
            return self._roles.get(role, ())
        left = tuple(name for name in switched if name in self._models)
        return left if left or not switched else self._roles.get(role, ())  # all it named are gone from the settings

    def for_role(self, role: str, *, named: str | None = None) -> list[NamedModel]:
        """The models to try, in this order. `named` overrules the role, without fallbacks: who names a model wants
        that one. The role `answer` always has one. Raises `BadQuestion` for an unknown name.
        """
        if named is not None:
            if named not in self._models:
                raise BadQuestion("model.not_found", name=named, known=list(self._models))
            return [self._models[named]]
        chosen = [self._models[name] for name in self.assigned(role)]
        return chosen if chosen or role != ANSWER else [self._models[EXTRACTIVE]]

    def assign(self, role: str, names: Sequence[str]) -> None:
        """Switch a role, from now on and over restarts. Raises `NotFound` for an unknown role, `BadQuestion` for an
        unknown model.
        """
        if role not in self._roles:
            raise NotFound("role.not_found", role=role, known=list(self._roles))
        unknown = [name for name in names if name not in self._models]
        if unknown:
            raise BadQuestion("model.not_found", name=unknown[0], known=list(self._models))
        chosen = tuple(dict.fromkeys(names))
        self.assigned(role)  # what was switched before is loaded
        self._assignments.save(role, chosen)
        with self._lock:
            self._switched = {**(self._switched or {}), role: chosen}

    def switched(self) -> tuple[str, ...]:
        """The roles that were switched at run time, and so are not done as the settings say."""
        return tuple(role for role in self._roles if self.assigned(role) != self._roles[role])

    def reset(self, role: str) -> None:
        """Let a role be done as the settings say. Raises `NotFound` for an unknown role."""
        self.assigned(role)  # what was switched before is loaded
        if role not in self._roles:
            raise NotFound("role.not_found", role=role, known=list(self._roles))
        self._assignments.forget(role)
        with self._lock:
            self._switched = {other: names for other, names in (self._switched or {}).items() if other != role}

    async def close(self) -> None:
        """End the connections of every model, when no question is asked any more."""
        for model in self._models.values():
            await model.close()

    async def test(self, name: str) -> Trial:
        """Call a model once, for 30 s at most. Raises `NotFound` for an unknown name."""
        model = self._models.get(name)
        if model is None:
            raise NotFound("model.not_found", name=name, known=list(self._models))
        if model.extractive:
            return Trial(ok=True, seconds=0.0, detail=Reason("model.built_in"))
        begun = time.perf_counter()
        try:
            async with asyncio.timeout(TEST_SECONDS):
                said = await _say_ready(model)
        except ChatbotError as error:
            return Trial(ok=False, seconds=time.perf_counter() - begun, detail=error.reason)
        except TimeoutError:
            return Trial(ok=False, seconds=TEST_SECONDS, detail=Reason("model.test_too_slow", seconds=TEST_SECONDS))
        seconds = time.perf_counter() - begun
        detail = Reason("model.said", words=said) if said else Reason("model.said_nothing")
        return Trial(ok=bool(said), seconds=seconds, detail=detail)


async def _say_ready(model: NamedModel) -> str:
    """What it says, or (some think for long about anything) what it thinks."""
    from langchain_core.messages import HumanMessage

    said = thought = ""
    reply = Reply(limit=model.max_output)
    async with aclosing(reply.read(model, [HumanMessage("Reply with the single word: ready")])) as pieces:
        async for piece in pieces:
            thought += (said if piece.recant else "") + piece.thought
            said = ("" if piece.recant else said) + piece.text
            if len(said) > SAID:
                break
    return " ".join((said.strip() or thought).split())[:SAID]


def _named(name: str, settings: ModelSettings) -> NamedModel:
    return NamedModel(
        name,
        connection=Remote(name, settings),
        provider=settings.provider,
        model=settings.model,
        context=settings.context,
        max_output=settings.max_output,
        price_input=settings.price_input,
        price_output=settings.price_output,
        writes_calls_as_text=settings.tool_calls == "json",
    )


def _extractive() -> NamedModel:
    return NamedModel(
        EXTRACTIVE,
        connection=None,
        provider="built-in",
        model="extracts",
        context=1_000_000,
        max_output=4096,
    )
