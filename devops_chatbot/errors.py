"""Every error that leaves a module of ours, by who can mend it.

ChatbotError
├── ConfigError            the operator: names the setting, the value and what was expected
├── Unavailable            nobody, for now: try again later
│   ├── ModelUnavailable
│   ├── StoreUnavailable
│   └── SandboxUnavailable
├── BadRequest             the asker
│   ├── BadQuestion
│   ├── NotFound
│   ├── NotAllowed
│   ├── Conflict
│   ├── TooLarge
│   └── UnsupportedFile
└── LimitReached           we stopped: steps, seconds, tokens, money

An error carries a code and its parameters, `NotFound("thread.not_found", id=thread_id)`; the text in a person's language is
made by who shows it (`devops_chatbot.i18n`). A text says what happened and what to do next. `devops_chatbot.api.problems` maps
each class to an HTTP status, `devops_chatbot.cli` to an exit code.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from devops_chatbot.i18n import Language, Reason


class ChatbotError(Exception):
    """The root; a door may show its text to the person who asked. `str(error)` is the English one, for logs."""

    def __init__(self, code: str | Reason, /, **params: object) -> None:
        super().__init__(code)
        self.reason = code if isinstance(code, Reason) else Reason(code, **params)

    def text(self, language: Language) -> str:
        return self.reason.text(language)

    def __str__(self) -> str:
        return str(self.reason)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"


class ConfigError(ChatbotError):
    """The settings are wrong; the message names the key, the value and what was expected."""


class Unavailable(ChatbotError):
    """Something needed cannot be reached now; `retry_after_s` is a guess at when to try again."""

    retry_after_s: int = 10


class ModelUnavailable(Unavailable):
    """A language or embedding model does not answer, or broke off.

    `again_s`: the same request may go well after so many seconds (0: at once); None: it will not. `patient`: that is worth
    more than one try. `too_long`: the prompt was, and a shorter one may go well; `tokens` and `room` are what
    the server then told of the prompt's and the context's size.
    """

    again_s: float | None = None
    patient: bool = False
    too_long: bool = False
    tokens: int | None = None
    room: int | None = None


class StoreUnavailable(Unavailable):
    """A store cannot be opened, read or written (unreachable, locked, disk full)."""


class SandboxUnavailable(Unavailable):
    """No container engine can be reached."""


class BadRequest(ChatbotError):
    """What was asked for cannot be done as asked."""


class BadQuestion(BadRequest):
    """A question that is empty or names something impossible."""


class NotFound(BadRequest):
    """There is nothing of that name or id."""


class NotAllowed(BadRequest):
    """The asker may not do this."""


class Conflict(BadRequest):
    """It contradicts what is there already, such as a name that is taken."""


class TooLarge(BadRequest):
    """An input is over a limit; the message names the limit and the setting that holds it."""


class UnsupportedFile(BadRequest):
    """A file that no loader can read, or that is broken."""


class LimitReached(ChatbotError):
    """We stopped the work at one of our own limits."""


def error_of(name: str, reason: Reason, *, otherwise: type[ChatbotError] = ChatbotError) -> ChatbotError:
    """The error of this class name, such as another process gave it; of the class `otherwise` when we have none of that name."""
    kind = globals().get(name)
    return (kind if isinstance(kind, type) and issubclass(kind, ChatbotError) else otherwise)(reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldProblem:
    """What is wrong with one field of a body, or with one parameter."""

    field: str
    problem: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An error as it crosses HTTP (RFC 9457). `error` is our class name, `code` what happened, of which `params` are the
    particulars and `detail` the text in the language of Accept-Language; `request_id` stands in the server's log too;
    `fields` says what is wrong in the body, field by field.
    """

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    error: str
    code: str
    params: Mapping[str, Any] = field(default_factory=dict)
    request_id: str
    fields: tuple[FieldProblem, ...] = ()
