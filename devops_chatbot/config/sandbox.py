"""What the operator can set about the sandbox: the section `[sandbox]`."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from devops_chatbot.i18n import Reason
from sandbox.limits import MOST


def _address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(Reason("settings.not_url", value=url))
    return url


Address = Annotated[str, AfterValidator(_address)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SandboxLimits(_Section):
    """What one session may use."""

    seconds: float = Field(default=30, gt=0, description="longest run")
    memory_mb: int = Field(default=512, ge=64, description="memory of a session, its folder included")
    cpus: float = Field(default=1, gt=0, description="processors")
    processes: int = Field(default=64, ge=8, description="processes and threads")
    disk_mb: int = Field(default=128, ge=1, description="size of a session's folder, which lies in memory")
    open_files: int = Field(default=1024, ge=64, description="open files of a process")
    output_bytes: int = Field(default=1_000_000, ge=0, description="most output of one run")
    artifact_bytes: int = Field(default=8_000_000, ge=0, description="figures and tables of one run together")


class SandboxCredential(_Section):
    """A header that the proxy adds to requests for one host; code in a session never sees it."""

    host: str
    header: str = "Authorization"
    value: SecretStr


class SandboxNetwork(_Section):
    """What sessions may reach when they ask for it."""

    allowed: tuple[str, ...] = Field(
        default=(), description="hosts as host, host:port or *.domain; empty: no network at all"
    )
    credentials: tuple[SandboxCredential, ...] = Field(
        default=(), description="headers that the proxy adds for a host; code never sees them"
    )
    trusted: str = Field(
        default="", description="file with further certificate authorities for hosts that get credentials"
    )


class SandboxServerAddress(_Section):
    """A sandbox server that this product uses."""

    url: Address
    token: SecretStr | None = None


class SandboxServe(_Section):
    """Where `devops-chatbot sandbox serve` listens."""

    host: str = Field(default="127.0.0.1", description="where devops-chatbot sandbox serve listens")
    port: int = Field(default=8610, ge=0, le=65535, description="its port; 0 picks a free one")
    token: SecretStr | None = Field(default=None, description="required to listen beyond loopback")
    allowed_hosts: tuple[str, ...] = Field(
        default=(), description="names accepted in the Host header besides loopback and `host`"
    )


class SandboxSettings(_Section):
    """Running code in containers."""

    enabled: bool = Field(default=True, description="whether code may be run at all")
    engine: str = Field(default="", description="address of the Docker engine; empty: DOCKER_HOST or the usual socket")
    servers: tuple[SandboxServerAddress, ...] = Field(
        default=(), description="sandbox servers to use instead of an engine here"
    )
    image: str = Field(default="devops-chatbot-sandbox:latest", description="made by devops-chatbot sandbox build")
    runtime: str = Field(default="", description="such as runsc; empty: the engine's own")
    sessions: int = Field(default=32, ge=1, description="sessions of all callers together")
    sessions_per_caller: int = Field(default=8, ge=1, description="sessions of one caller")
    idle_minutes: float = Field(default=15, gt=0, description="a session that nobody uses for so long is closed")
    longest_minutes: float = Field(default=240, gt=0, description="a session older than this is closed")
    warm_least: int = Field(default=0, ge=0, description="sessions kept ready even when nobody uses them")
    warm_most: int = Field(default=4, ge=0, description="sessions kept ready while they are asked for")
    limits: SandboxLimits = SandboxLimits()
    most: SandboxLimits = SandboxLimits(**{name: getattr(MOST, name) for name in SandboxLimits.model_fields})
    network: SandboxNetwork = SandboxNetwork()
    serve: SandboxServe = SandboxServe()
