"""Opens the providers' chat models through LangChain, and says in our words what goes wrong with them."""

import os
from typing import TYPE_CHECKING, Any

from devops_chatbot.config.settings import ModelSettings, Provider
from devops_chatbot.errors import ChatbotError, ConfigError, ModelUnavailable

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

RETRIES = 1
"""Of one call, by the provider's own client, when it is answered 429 or 5xx; after that the next model has its turn."""
CONNECT_S = 10
LONGEST_DETAIL = 300
_NOT_UNDERSTOOD = (ValueError, TypeError, LookupError, AttributeError)

_HOMES: dict[Provider, str] = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com",
    "ollama": "http://127.0.0.1:11434",
}


class Remote:
    """The connection to one model of the settings."""

    def __init__(self, name: str, settings: ModelSettings) -> None:
        self._name = name
        self._settings = settings

    def open(self) -> "BaseChatModel":
        """Imports the provider's package; nothing is sent yet. Raises `ConfigError`, such as for a missing key."""
        try:
            return _OPENERS[self._settings.provider](self._settings)
        except self.foreign() as error:
            if self._settings.api_key is None and "key" in str(error):
                raise ConfigError("model.no_key", name=self._name, provider=self._settings.provider) from None
            raise ConfigError("model.cannot_open", name=self._name, error=self._short(error)) from None

    def foreign(self) -> tuple[type[Exception], ...]:
        """The clients' own errors, and what LangChain raises when a server sends what nobody expected."""
        import httpx
        import httpx2

        kinds: tuple[type[Exception], ...] = (httpx.HTTPError, httpx2.HTTPError, httpx.StreamError, httpx2.StreamError)
        kinds += (OSError, ValueError, TypeError, LookupError, AttributeError)
        provider = self._settings.provider
        if provider == "anthropic":
            import anthropic

            return (anthropic.AnthropicError, *kinds)
        if provider == "ollama":
            import ollama

            return (ollama.ResponseError, ollama.RequestError, *kinds)
        import openai

        return (openai.OpenAIError, *kinds)

    def translate(self, error: Exception, *, begun: bool) -> ChatbotError:
        name, where = self._name, self._settings.base_url or _HOMES.get(self._settings.provider, "")
        status = getattr(error, "status_code", None)
        if status in (401, 403):
            return ModelUnavailable("model.refuses_key", name=name, status=status)
        if status == 404:
            return ModelUnavailable("model.unknown_there", name=name, where=where, model=self._settings.model)
        if status == 429:
            return ModelUnavailable("model.over_limit", name=name)
        if isinstance(status, int) and status >= 500:
            return ModelUnavailable("model.failed_inside", name=name, status=status)
        if isinstance(status, int) and status >= 400:
            return ModelUnavailable("model.refuses_request", name=name, status=status, error=self._short(error))
        if any("Timeout" in kind.__name__ for kind in type(error).__mro__):
            return ModelUnavailable("model.too_slow", name=name, seconds=self._settings.timeout_s)
        if _is_connection(error) and not begun:
            return ModelUnavailable("model.unreachable", name=name, where=where)
        short = self._short(error).rstrip(".")
        if isinstance(error, _NOT_UNDERSTOOD) and not begun:
            provider = self._settings.provider
            return ModelUnavailable("model.strange_answer", name=name, where=where, provider=provider, error=short)
        return ModelUnavailable("model.broke_off", name=name, error=short)

    def _short(self, error: Exception) -> str:
        """The error's own words, without the key, on one line."""
        text = " ".join(str(error).split()) or type(error).__name__
        key = self._settings.api_key.get_secret_value() if self._settings.api_key else ""
        if key:
            text = text.replace(key, "(hidden)")
        return text if len(text) <= LONGEST_DETAIL else text[:LONGEST_DETAIL] + "…"


def _is_connection(error: Exception) -> bool:
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & {"ConnectionError", "APIConnectionError", "ConnectError"})


def _openai(settings: ModelSettings) -> "BaseChatModel":
    from devops_chatbot.llm.openai_models import Chat

    return Chat(**_openai_options(settings), **_limit(settings), base_url=settings.base_url)


def _compatible(settings: ModelSettings) -> "BaseChatModel":
    from devops_chatbot.llm.openai_models import Chat

    options = _openai_options(settings)
    options["api_key"] = options["api_key"] or "none"  # many servers want none, the client insists on one
    return Chat(
        **options,
        base_url=settings.base_url,
        use_responses_api=False,
        extra_body={"max_tokens": settings.max_output},  # few servers know max_completion_tokens
    )


def _azure(settings: ModelSettings) -> "BaseChatModel":
    from devops_chatbot.llm.openai_models import AzureChat

    return AzureChat(
        **_openai_options(settings),
        **_limit(settings),
        azure_endpoint=settings.base_url,
        azure_deployment=settings.model,
        api_version=settings.api_version,
    )


def _limit(settings: ModelSettings) -> dict[str, Any]:
    return {"model_kwargs": {"max_completion_tokens": settings.max_output}}


def _anthropic(settings: ModelSettings) -> "BaseChatModel":
    from langchain_anthropic import ChatAnthropic

    if not (settings.api_key or settings.base_url or os.environ.get("ANTHROPIC_API_KEY")):
        raise ValueError("Anthropic wants a key")  # its client finds that out only when it is answered
    options: dict[str, Any] = {"model": settings.model, "max_tokens": settings.max_output}
    options |= {"timeout": settings.timeout_s, "max_retries": RETRIES}
    if settings.api_key:
        options["api_key"] = settings.api_key
    if settings.base_url:
        options["base_url"] = settings.base_url
    if settings.temperature is not None:
        options["temperature"] = settings.temperature
    return ChatAnthropic(**options)


def _ollama(settings: ModelSettings) -> "BaseChatModel":
    from langchain_ollama import ChatOllama

    client: dict[str, Any] = {"timeout": settings.timeout_s}
    if settings.api_key:  # Ollama itself wants none; what stands in front of it may
        client["headers"] = {"Authorization": f"Bearer {settings.api_key.get_secret_value()}"}
    return ChatOllama(
        model=settings.model,
        base_url=settings.base_url,
        num_ctx=settings.context,
        num_predict=settings.max_output,
        temperature=settings.temperature,
        client_kwargs=client,
    )


def _openai_options(settings: ModelSettings) -> dict[str, Any]:
    import httpx2

    return {
        "model": settings.model,
        "api_key": settings.api_key,
        "temperature": settings.temperature,
        "timeout": httpx2.Timeout(settings.timeout_s, connect=min(CONNECT_S, settings.timeout_s)),
        "max_retries": RETRIES,
        "stream_usage": True,
        "stream_chunk_timeout": None,  # `NamedModel` has its own
    }


_OPENERS = {
    "openai": _openai,
    "openai-compatible": _compatible,
    "azure": _azure,
    "anthropic": _anthropic,
    "ollama": _ollama,
}
