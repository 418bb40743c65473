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

A message says what happened and what to do next. `devops_chatbot.api.problems` maps each class to an HTTP status,
`devops_chatbot.cli` to an exit code.
"""


class ChatbotError(Exception):
    """The root; a door may show `str(error)` to the person who asked."""


class ConfigError(ChatbotError):
    """The settings are wrong; the message names the key, the value and what was expected."""


class Unavailable(ChatbotError):
    """Something needed cannot be reached now; `retry_after_s` is a guess at when to try again."""

    retry_after_s: int = 10


class ModelUnavailable(Unavailable):
    """A language or embedding model does not answer, or broke off."""


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
