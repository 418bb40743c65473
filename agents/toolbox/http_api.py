"""JSON over HTTP to a system that the operator has named in the settings."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from devops_chatbot.errors import BadRequest, ChatbotError, NotAllowed, NotFound, Unavailable
from devops_chatbot.i18n import Reason
from devops_chatbot.tools import READY, ToolsetState

if TYPE_CHECKING:
    import httpx

Query = Mapping[str, str | Sequence[str]]
STATE_TIMEOUT_S = 3


class HttpSettings(BaseModel):
    """Where an HTTP API is, and how it knows us."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(default="", description="address of the server; empty: the toolset is disabled")
    token: SecretStr | None = Field(default=None, description="sent as a bearer token")
    username: str = Field(default="", description="for servers that ask for a name and a password")
    password: SecretStr | None = Field(default=None, description="belongs to `username`")
    verify: bool = Field(default=True, description="whether its certificate is checked")
    timeout_s: float = Field(default=20, gt=0, description="longest wait for an answer")


class HttpApi:
    """One connection pool an event loop; safe for concurrent use on it."""

    def __init__(self, name: str, settings: HttpSettings) -> None:
        self._name = name
        self._settings = settings

    async def state(self, path: str, query: Query | None = None, *, key: str) -> ToolsetState:
        """How the system is, by asking for `path`; `key` is the setting that names its address."""
        if not self._settings.url:
            return ToolsetState(state="disabled", why=Reason("toolset.no_url", key=key))
        try:
            await self.get(path, query, timeout_s=STATE_TIMEOUT_S)
        except ChatbotError as error:
            return ToolsetState(state="failed", why=error.reason)
        return READY

    async def get(self, path: str, query: Query | None = None, *, timeout_s: float | None = None) -> Any:
        """The JSON that the server answers with. Raises `Unavailable`, and `BadRequest` with what the server did not like."""
        return await self._ask("GET", path, query=query, timeout_s=timeout_s)

    async def send(self, method: str, path: str, body: object = None) -> Any:
        return await self._ask(method, path, body=body)

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: object = None,
        timeout_s: float | None = None,
    ) -> Any:
        import httpx

        settings = self._settings
        headers = {"Authorization": f"Bearer {settings.token.get_secret_value()}"} if settings.token else {}
        login = (settings.username, settings.password.get_secret_value()) if settings.password else None
        url = settings.url.rstrip("/") + path
        try:
            async with httpx.AsyncClient(
                headers=headers,
                auth=login,
                verify=settings.verify,
                timeout=timeout_s or settings.timeout_s,
                trust_env=False,
            ) as http:
                given = dict(query) if query else None
                response = await http.request(method, url, params=given, json=body)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            words = str(error) or type(error).__name__
            raise Unavailable("tool.unreachable", name=self._name, url=settings.url, error=words) from error
        return self._read(response)

    def _read(self, response: "httpx.Response") -> Any:
        status, words = response.status_code, " ".join(response.text.split())[:500]
        if status in (401, 403):
            raise NotAllowed("tool.refuses_us", name=self._name, status=status)
        if status == 404:
            raise NotFound("tool.not_there", name=self._name, words=words)
        if 400 <= status < 500:
            raise BadRequest("tool.bad_request", name=self._name, status=status, words=words)
        if status >= 500:
            raise Unavailable("tool.failed_inside", name=self._name, status=status, words=words)
        if not response.content:
            return None
        try:
            return response.json()
        except ValueError as error:
            raise Unavailable("tool.no_json", name=self._name, url=self._settings.url) from error
