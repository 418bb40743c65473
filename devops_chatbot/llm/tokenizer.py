"""Asks a model's own server how many tokens a prompt is, where it can be asked (llama.cpp, vLLM, SGLang and others)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from devops_chatbot.config.settings import ModelSettings

if TYPE_CHECKING:
    import httpx
    from langchain_core.messages import BaseMessage

SECONDS = 5
MARKS_A_MESSAGE = 8
"""Tokens that a chat template puts around a message, at most: they are not in the text that is counted."""
_CANNOT = (400, 404, 405, 415, 422, 501)
_ROLES = {"human": "user", "ai": "assistant"}


class Tokenizer:
    """The tokenizer of one server; one that has none is not asked again. Safe for concurrent use."""

    def __init__(self, settings: ModelSettings, options: dict[str, Any]) -> None:
        self._model = settings.model
        key = settings.api_key.get_secret_value() if settings.api_key else ""
        self._options = options | {"headers": {"Authorization": f"Bearer {key}"} if key else {}, "timeout": SECONDS}
        base = (settings.base_url or "").rstrip("/")
        root = base.removesuffix("/v1")
        self._places = [f"{root}/tokenize", *([f"{base}/tokenize"] if base != root else [])]

    async def count(self, messages: Sequence["BaseMessage"]) -> int | None:
        """The tokens of a prompt; None when the server cannot be asked."""
        import httpx

        text = "\n".join(str(message.text) for message in messages)
        said = [{"role": _ROLES.get(message.type, message.type), "content": str(message.text)} for message in messages]
        bodies = (
            {"model": self._model, "messages": said, "content": text, "inputs": text},
            {"model": self._model, "prompt": text},
        )
        if self._places and "verify" not in self._options:
            self._options["verify"] = httpx.create_ssl_context()  # takes long enough to be kept
        while self._places:
            for body in bodies:
                try:
                    async with httpx.AsyncClient(**self._options) as client:
                        response = await client.post(self._places[0], json=body)
                except httpx.HTTPError:
                    return None  # the server is away: whoever asks the model hears why
                if (found := _count(response)) is not None:
                    return found + MARKS_A_MESSAGE * (len(messages) + 1)
                if not response.is_success and response.status_code not in _CANNOT:
                    return None
            self._places = self._places[1:]
        return None


def _count(response: "httpx.Response") -> int | None:
    try:
        answer = response.json() if response.is_success else None
    except ValueError:
        return None  # a web page
    if isinstance(answer, dict):
        count, tokens = answer.get("count"), answer.get("tokens")
        return count if isinstance(count, int) else len(tokens) if isinstance(tokens, list) else None
    return len(answer) if isinstance(answer, list) else None
