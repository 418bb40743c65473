"""Learns which parameters a server refuses, and asks it without them, or by their other name, from then on."""

import re
from collections.abc import Mapping
from typing import Any

_OTHER_NAME = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
_REQUIRED = ("model", "messages", "stream")
_SYSTEM_ROLE = re.compile(r"system\W+(?:role|message|prompt|instruction)|role\W+.{0,20}system", re.IGNORECASE)
"""As chat templates without a system role say it ("System role not supported")."""


class RefusedParameters:
    """What one server does not take. Safe for concurrent use: what is learned twice is learned once."""

    def __init__(self) -> None:
        self._refused: set[str] = set()
        self._no_system = False

    def learn(self, said: str, body: Mapping[str, Any], *, named: str | None = None) -> bool:
        """Whether a request like `body`, which was refused with these words, is worth another try. `named` is the parameter
        that the error itself names.
        """
        sent = [name for name in self.fit(body) if name not in _REQUIRED]
        mentioned = [name for name in sent if re.search(rf"\b{name}\b", said)]
        wrong = named if named in sent else min(mentioned, key=lambda name: said.index(name), default=None)
        if wrong is not None:
            self._refused.add(wrong)
            return True
        if not self._no_system and _SYSTEM_ROLE.search(said) and any(_is_system(one) for one in body["messages"]):
            self._no_system = True
            return True
        return False

    def fit(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The body as this server takes it."""
        fitted = dict(body)
        for name in [name for name in body if name in self._refused]:
            value = fitted.pop(name)
            other = _OTHER_NAME.get(name)
            if other is not None and other not in self._refused:
                fitted[other] = value
        if self._no_system and "messages" in fitted:
            fitted["messages"] = _without_system(fitted["messages"])
        return fitted


def _is_system(message: Any) -> bool:
    return isinstance(message, dict) and message.get("role") in ("system", "developer")


def _without_system(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rules as the beginning of the first message of the user."""
    rules = "\n\n".join(str(message["content"]) for message in messages if _is_system(message))
    others = [message for message in messages if not _is_system(message)]
    if not rules or not others:
        return messages
    return [{**others[0], "content": f"{rules}\n\n{others[0]['content']}"}, *others[1:]]
