"""One named language model: LangChain's chat model behind it, opened on first use, and what became of the last call."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, Literal, Protocol, cast

from devops_chatbot.config.settings import LEAST_TO_READ
from devops_chatbot.errors import ChatbotError, ConfigError
from devops_chatbot.i18n import Language, Reason

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessageChunk, BaseMessage

    from devops_chatbot.llm.tokenizer import Tokenizer

ModelState = Literal["ready", "unknown", "failed"]


class Connection(Protocol):
    """How a provider's model is opened, and what its errors mean."""

    def open(self) -> "BaseChatModel":
        """Raises `ConfigError` when the settings cannot work."""

    async def close(self, model: "BaseChatModel") -> None:
        """End the connections of a model that was opened."""

    def foreign(self) -> tuple[type[Exception], ...]:
        """What the provider's code may raise."""

    def tokenizer(self) -> "Tokenizer | None":
        """What counts a prompt's tokens as the model does; None where nothing can be asked."""

    def translate(self, error: Exception, *, begun: bool) -> ChatbotError:
        """A foreign error in our words; `begun` says that something of the answer had come."""


class NamedModel:
    """A model that can be asked. Safe for use by many questions at once.

    The one without a connection stands for answers in the documents' own words, which no language model writes.
    """

    def __init__(
        self,
        name: str,
        *,
        connection: Connection | None,
        provider: str,
        model: str,
        context: int,
        max_output: int,
        price_input: float = 0,
        price_output: float = 0,
        writes_calls_as_text: bool = False,
    ) -> None:
        self.name = name
        self.provider = provider
        self.model = model
        self.context = context
        self.max_output = max_output
        self.writes_calls_as_text = writes_calls_as_text
        self._prices = price_input, price_output
        self._connection = connection
        self._opened: BaseChatModel | None = None
        self._tokenizer: Tokenizer | None = None
        self._lock = threading.Lock()
        self.scales: dict[Language, float] = {}
        """How many of its tokens one of ours (`tokens_of`) is for a question in this language, where prompts were too long."""
        self.state: ModelState = "unknown" if connection else "ready"
        self.why = Reason("model.not_tried") if connection else None

    @property
    def extractive(self) -> bool:
        return self._connection is None

    def open(self) -> "BaseChatModel":
        """LangChain's model; the first call imports the provider's package. Raises `ConfigError`."""
        with self._lock:
            if self._opened is None:
                self._opened = self._connected().open()
                self._tokenizer = self._connected().tokenizer()
            return self._opened

    async def opened(self) -> "BaseChatModel":
        """The same, without holding up the event loop."""
        return self._opened if self._opened is not None else await asyncio.to_thread(self.open)

    async def close(self) -> None:
        """End its connections; the next use opens it again."""
        with self._lock:
            opened, self._opened = self._opened, None
        if opened is not None:
            await self._connected().close(opened)

    def narrow(self, context: int) -> None:
        """The server has told that its context is smaller than the settings say."""
        if self.max_output + LEAST_TO_READ <= context < self.context:
            self.context = context

    def cost(self, input_tokens: int, output_tokens: int) -> float:
        """Money for so many tokens."""
        return (input_tokens * self._prices[0] + output_tokens * self._prices[1]) / 1_000_000

    async def count(self, messages: Sequence["BaseMessage"]) -> int | None:
        """The tokens of a prompt as the model's own server counts them; None when it cannot be asked. Raises `ConfigError`."""
        await self.opened()
        return await self._tokenizer.count(messages) if self._tokenizer is not None else None

    async def stream(self, messages: Sequence["BaseMessage"]) -> AsyncGenerator["AIMessageChunk"]:
        """The answer as it is written. Raises `ModelUnavailable` (also after a silence longer than the timeout of the
        settings, of which the connection takes care) and `ConfigError`. Closing the generator closes the connection.
        """
        begun = False
        try:
            opened = await self.opened()
            foreign = self._connected().foreign()
            stream = cast("AsyncGenerator[AIMessageChunk]", opened.astream(list(messages)))
            async with aclosing(stream):
                while True:
                    try:
                        chunk = await anext(stream)
                    except StopAsyncIteration:
                        return
                    except foreign as error:
                        raise self._connected().translate(error, begun=begun) from error
                    self._note("ready", None)
                    begun = True
                    yield chunk
        except ChatbotError as error:
            self._note("failed", error.reason)
            raise

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Around a call of what `open` gave: what it raises becomes ours, and the model's state follows. Raises as `stream`."""
        try:
            yield
        except self._connected().foreign() as error:
            known = self._connected().translate(error, begun=False)
            self._note("failed", known.reason)
            raise known from error
        self._note("ready", None)

    def _connected(self) -> Connection:
        if self._connection is None:
            raise ConfigError("model.only_quotes", name=self.name)
        return self._connection

    def _note(self, state: ModelState, why: Reason | None) -> None:
        self.state, self.why = state, why
