"""Puts the sandbox together from its settings: on an engine here, on servers elsewhere, or not at all."""

import hashlib
from pathlib import Path

from devops_chatbot.config.sandbox import SandboxSettings
from devops_chatbot.i18n import Reason
from sandbox.disabled import DisabledSandbox
from sandbox.docker.engine import Engine
from sandbox.docker.local import LocalSandbox, SessionPolicy
from sandbox.egress import Credential, Network
from sandbox.limits import Bounds
from sandbox.model import Limits, Sandbox


def open_sandbox(settings: SandboxSettings, *, data_dir: Path) -> Sandbox:
    """The sandbox that the settings name. Nothing is asked of an engine or a server before its first use."""
    if not settings.enabled:
        return DisabledSandbox(Reason("sandbox.disabled"))
    if settings.servers:
        from sandbox.http.client import ServerAddress
        from sandbox.http.remote import RemoteSandbox

        return RemoteSandbox(
            [
                ServerAddress(url=server.url, token=server.token.get_secret_value() if server.token else "")
                for server in settings.servers
            ]
        )
    return open_local(settings, owner=owner(data_dir))


def open_local(settings: SandboxSettings, *, owner: str) -> LocalSandbox:
    """The sandbox on the engine that the settings name; `owner` marks its containers."""
    network = settings.network
    return LocalSandbox(
        Engine(settings.engine or None),
        owner=owner,
        image=settings.image,
        runtime=settings.runtime or None,
        bounds=Bounds(usual=usual_limits(settings), most=Limits(**settings.most.model_dump())),
        policy=SessionPolicy(
            capacity=settings.sessions,
            per_caller=settings.sessions_per_caller,
            idle_s=settings.idle_minutes * 60,
            longest_s=settings.longest_minutes * 60,
            warm_least=settings.warm_least,
            warm_most=settings.warm_most,
        ),
        network=Network(
            allowed=network.allowed,
            credentials=tuple(
                Credential(host=each.host, header=each.header, value=each.value.get_secret_value())
                for each in network.credentials
            ),
            trusted=network.trusted,
        ),
    )


def usual_limits(settings: SandboxSettings) -> Limits:
    """What a session gets that asks for nothing."""
    return Limits(**settings.limits.model_dump())


def owner(data_dir: Path, *, of: str = "api") -> str:
    """The mark of containers that belong to this data directory: another product on the same engine has another."""
    return f"{of}-{hashlib.sha256(str(data_dir).encode()).hexdigest()[:16]}"
