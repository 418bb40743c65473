"""Opens the providers' chat models through LangChain, and says in our words what goes wrong with them."""

import os
import ssl
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from devops_chatbot.config.settings import ModelSettings, Provider
from devops_chatbot.errors import ChatbotError, ConfigError, ModelUnavailable
from devops_chatbot.i18n import Reason
from devops_chatbot.llm.http_clients import client_options, proxy_for, without_password
from devops_chatbot.llm.provider_errors import fit_of, is_too_long, wait_of, words_of
from devops_chatbot.llm.tokenizer import Tokenizer

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

CONNECT_S = 10
KEPT_OPEN_S = 2.0
"""How long an idle connection to a model is used again: less than the 5 s after which common servers close theirs, or a question
goes out on one that is just being closed.
"""
_NOT_UNDERSTOOD = (ValueError, TypeError, LookupError, AttributeError)
_BUSY = (429, 503, 529)
_PASSING = (408, 409, 500, 502, 504)
BUSY_S, PASSING_S, LOADING_S = 2.0, 0.5, 5.0
"""How long a busy server, one that failed, and one that loads its model is left alone before it is asked again."""

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
        self._where = settings.base_url or _HOMES.get(settings.provider, "")

    def open(self) -> "BaseChatModel":
        """Imports the provider's package; nothing is sent yet. Raises `ConfigError`, such as for a missing key."""
        mistakes: tuple[type[Exception], ...] = (*self.foreign(), ImportError)
        try:
            return _OPENERS[self._settings.provider](self._settings, client_options(self._settings, self._where))
        except mistakes as error:
            if self._settings.ca_file is not None and isinstance(error, OSError):
                file, why = self._settings.ca_file, self._words(error)
                raise ConfigError("model.no_ca_file", name=self._name, file=file, error=why) from None
            if self._settings.api_key is None and "key" in str(error):
                raise ConfigError("model.no_key", name=self._name, provider=self._settings.provider) from None
            if "proxy" in str(error).lower():
                raise ConfigError("model.bad_proxy", name=self._name, error=self._words(error)) from None
            raise ConfigError("model.cannot_open", name=self._name, error=self._words(error)) from None

    async def close(self, model: "BaseChatModel") -> None:
        client = getattr(model, "root_async_client", None)  # the others close theirs when they are forgotten
        if client is not None:
            await client.close()

    def foreign(self) -> tuple[type[Exception], ...]:
        """The clients' own errors, and what LangChain raises when a server sends what nobody expected."""
        import httpx
        import httpx2

        kinds: tuple[type[Exception], ...] = (httpx.HTTPError, httpx2.HTTPError, httpx.StreamError, httpx2.StreamError)
        kinds += (httpx.InvalidURL, httpx2.InvalidURL, OSError, ValueError, TypeError, LookupError, AttributeError)
        provider = self._settings.provider
        if provider == "anthropic":
            import anthropic

            return (anthropic.AnthropicError, *kinds)
        if provider == "ollama":
            import ollama

            return (ollama.ResponseError, ollama.RequestError, *kinds)
        import openai

        return (openai.OpenAIError, *kinds)

    def tokenizer(self) -> Tokenizer | None:
        """Where the server can be asked for a prompt's tokens; None for the providers whose servers cannot."""
        if self._settings.provider != "openai-compatible":
            return None
        return Tokenizer(self._settings, client_options(self._settings, self._where))

    def translate(self, error: Exception, *, begun: bool) -> ChatbotError:
        status = getattr(error, "status_code", None)
        if is_too_long(error) or status == 413:
            return self._too_long(error)
        if begun:
            return self._broke_off(error)
        if isinstance(status, int) and status >= 400:
            return self._answered(error, status)
        return self._unanswered(error)

    def _answered(self, error: Exception, status: int) -> ModelUnavailable:
        """The server answered with a status that is an error."""
        name, words, through = self._name, self._words(error), self._through()
        said = Reason("model.its_words", words=words)
        if status == 401:
            return ModelUnavailable("model.refuses_key", name=name, status=status, said=said, through=through)
        if status == 402:
            return ModelUnavailable("model.no_credit", name=name, status=status, said=said, through=through)
        if status == 403:
            return ModelUnavailable("model.not_allowed", name=name, status=status, said=said, through=through)
        if status == 404:
            where, model = without_password(self._where), self._settings.model
            return ModelUnavailable(
                "model.unknown_there", name=name, where=where, model=model, said=said, through=through
            )
        if status == 429:
            made = ModelUnavailable("model.over_limit", name=name, said=said, through=through)
        elif status >= 500:
            made = ModelUnavailable("model.failed_inside", name=name, status=status, said=said, through=through)
        else:
            made = ModelUnavailable("model.refuses_request", name=name, status=status, said=said, through=through)
        told = wait_of(error)
        if status == 503 and "loading" in words.lower():
            made.again_s, made.patient = LOADING_S if told is None else told, True
        elif told is None and getattr(error, "code", None) == "insufficient_quota":
            made.again_s = None  # waiting does not help
        elif status in _BUSY:
            made.again_s = BUSY_S if told is None else told
        elif status in _PASSING:
            made.again_s = PASSING_S if told is None else told
        return made

    def _unanswered(self, error: Exception) -> ModelUnavailable:
        """Nothing of an answer has come."""
        chain = list(_chain(error))
        kinds = {kind.__name__ for one in chain for kind in type(one).__mro__}
        name, where, words, through = self._name, without_password(self._where), self._words(error), self._through()
        if (
            kinds & {"LocalProtocolError", "UnicodeEncodeError"} or "control character" in words
        ):  # a header cannot hold it
            return ModelUnavailable("model.bad_key", name=name)
        for one in chain:
            if isinstance(one, ssl.SSLCertVerificationError):
                why = getattr(one, "verify_message", "") or words  # aiohttp's own kind of it has none
                return ModelUnavailable("model.untrusted", name=name, where=where, error=why, through=through)
            if isinstance(one, ssl.SSLError):
                return ModelUnavailable("model.no_tls", name=name, where=where, error=words, through=through)
        timeout = any("Timeout" in kind for kind in kinds)
        connecting = kinds & {"ConnectionError", "ConnectError", "APIConnectionError"} and not timeout
        if (proxy := proxy_for(self._where)) and (connecting or kinds & {"ProxyError", "ConnectTimeout"}):
            return ModelUnavailable("model.proxy_fails", name=name, where=where, error=words, proxy=proxy)
        if connecting or "ConnectTimeout" in kinds:
            made = ModelUnavailable("model.unreachable", name=name, where=where)
            if kinds & {
                "RemoteProtocolError",
                "ReadError",
                "ServerDisconnectedError",
                "ClientOSError",
            }:  # a connection that was kept open, and closed by the server
                made.again_s = 0.0
            return made
        if timeout:
            return ModelUnavailable("model.too_slow", name=name, seconds=self._settings.timeout_s)
        if "BrokenOff" in kinds:
            return ModelUnavailable("model.unfinished", name=name)
        if isinstance(error, _NOT_UNDERSTOOD):
            provider = self._settings.provider
            return ModelUnavailable("model.strange_answer", name=name, where=where, provider=provider, error=words)
        return ModelUnavailable("model.reports_error", name=name, where=where, error=words, through=through)

    def _broke_off(self, error: Exception) -> ModelUnavailable:
        """Something of an answer had come."""
        kinds = {kind.__name__ for one in _chain(error) for kind in type(one).__mro__}
        lost = kinds & {"ClientOSError", "ServerDisconnectedError"}  # which aiohttp's transport calls a timeout
        if any("Timeout" in kind for kind in kinds) and not lost:
            return ModelUnavailable("model.silent", name=self._name, seconds=self._settings.timeout_s)
        if "BrokenOff" in kinds:
            return ModelUnavailable("model.unfinished", name=self._name)
        return ModelUnavailable("model.broke_off", name=self._name, error=self._words(error))

    def _too_long(self, error: Exception) -> ModelUnavailable:
        said, context = Reason("model.its_words", words=self._words(error)), self._settings.context
        made = ModelUnavailable("model.too_long", name=self._name, context=context, said=said, through=self._through())
        made.too_long = True
        made.tokens, made.room = fit_of(error) or (None, None)
        return made

    def _through(self) -> Reason | str:
        """The proxy that is between, as a sentence of its own."""
        proxy = proxy_for(self._where)
        return Reason("model.through_proxy", proxy=proxy) if proxy else ""

    def _words(self, error: BaseException) -> str:
        """Those of the provider where it has said something, else of the first cause."""
        key = self._settings.api_key.get_secret_value() if self._settings.api_key else ""
        chain = list(_chain(error))
        return words_of(next((one for one in chain if getattr(one, "body", None)), chain[-1]), secret=key)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from, the first cause last."""
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or one.__context__  # also one that a client hides (Ollama's): it says what happened


def _openai(settings: ModelSettings, http: dict[str, Any]) -> "BaseChatModel":
    from devops_chatbot.llm.openai_models import Chat

    return Chat(**_openai_options(settings, http), **_limit(settings), base_url=settings.base_url)


def _compatible(settings: ModelSettings, http: dict[str, Any]) -> "BaseChatModel":
    from devops_chatbot.llm.openai_models import Chat

    options = _openai_options(settings, http)
    options["api_key"] = options["api_key"] or "none"  # many servers want none, the client insists on one
    return Chat(
        **options,
        base_url=settings.base_url,
        use_responses_api=False,
        extra_body={"max_tokens": settings.max_output},  # few servers know max_completion_tokens
    )


def _azure(settings: ModelSettings, http: dict[str, Any]) -> "BaseChatModel":
    from devops_chatbot.llm.openai_models import AzureChat

    return AzureChat(
        **_openai_options(settings, http),
        **_limit(settings),
        azure_endpoint=settings.base_url,
        azure_deployment=settings.model,
        api_version=settings.api_version,
    )


def _limit(settings: ModelSettings) -> dict[str, Any]:
    return {"model_kwargs": {"max_completion_tokens": settings.max_output}}


def _anthropic(settings: ModelSettings, http: dict[str, Any]) -> "BaseChatModel":
    import anthropic
    import httpx2

    from devops_chatbot.llm.other_models import Anthropic

    if not (settings.api_key or settings.base_url or os.environ.get("ANTHROPIC_API_KEY")):
        raise ValueError("Anthropic wants a key")  # its client finds that out only when it is answered
    options: dict[str, Any] = {"model": settings.model, "max_tokens": settings.max_output}
    options |= {"timeout": settings.timeout_s, "max_retries": 0}
    if settings.api_key:
        options["api_key"] = settings.api_key
    if settings.base_url:
        options["base_url"] = settings.base_url
    if settings.temperature is not None:
        options["temperature"] = settings.temperature
    # A plain client: Anthropic's own asks the proxies of the environment whatever it is told.
    limits = anthropic.DEFAULT_CONNECTION_LIMITS
    client = httpx2.AsyncClient(timeout=_timeout(settings), limits=limits, follow_redirects=True, **http)
    return Anthropic(**options, http=client)


def _ollama(settings: ModelSettings, http: dict[str, Any]) -> "BaseChatModel":
    from devops_chatbot.llm.other_models import Ollama

    client: dict[str, Any] = {"timeout": settings.timeout_s, **http}
    if settings.api_key:  # Ollama itself wants none; what stands in front of it may
        client["headers"] = {"Authorization": f"Bearer {settings.api_key.get_secret_value()}"}
    return Ollama(
        model=settings.model,
        base_url=settings.base_url,
        num_ctx=settings.context,
        num_predict=settings.max_output,
        temperature=settings.temperature,
        client_kwargs=client,
    )


def _openai_options(settings: ModelSettings, http: dict[str, Any]) -> dict[str, Any]:
    import httpx2
    import openai

    # aiohttp's takes two thirds of the processor's time for a stream, and gives at once what has come; it knows no SOCKS proxy
    between = proxy_for(settings.base_url or _HOMES.get(settings.provider, ""))
    client = openai.DefaultAsyncHttpxClient if between else openai.DefaultAioHttpClient
    limits = httpx2.Limits(
        max_connections=openai.DEFAULT_CONNECTION_LIMITS.max_connections, keepalive_expiry=KEPT_OPEN_S
    )
    return {
        "model": settings.model,
        "api_key": settings.api_key,
        "temperature": settings.temperature,
        "timeout": _timeout(settings),
        "max_retries": 0,  # the writer asks again, and says so
        "stream_usage": True,
        "stream_chunk_timeout": None,  # the client has its own
        "http_client": openai.DefaultHttpxClient(timeout=_timeout(settings), **http),
        "http_async_client": client(timeout=_timeout(settings), limits=limits, **http),
    }


def _timeout(settings: ModelSettings) -> Any:
    """Between two signs of life, of which a comment or a ping is one."""
    import httpx2

    return httpx2.Timeout(settings.timeout_s, connect=min(CONNECT_S, settings.timeout_s))


_OPENERS = {
    "openai": _openai,
    "openai-compatible": _compatible,
    "azure": _azure,
    "anthropic": _anthropic,
    "ollama": _ollama,
}
