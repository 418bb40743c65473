"""Runs the sandbox server until it is told to stop."""

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from devops_chatbot.api.loopback import is_loopback, reachable
from devops_chatbot.config.sandbox import SandboxSettings
from devops_chatbot.errors import ConfigError
from devops_chatbot.sandbox_bootstrap import open_local, owner, usual_limits
from devops_chatbot.server.listening import listen, url_of


def serve(settings: SandboxSettings, *, data_dir: Path, announce: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises `ConfigError` for a port that is taken and an address that would be open to everybody, `SandboxUnavailable` when
    no code can be run here.
    """
    import uvicorn

    from devops_chatbot.api.middleware import entry
    from devops_chatbot.api.sandbox_server import create_sandbox_app

    chosen = settings.serve
    if chosen.token is None and not is_loopback(chosen.host):
        raise ConfigError("settings.sandbox_open", host=chosen.host)
    listening = listen(chosen.host, chosen.port, setting="sandbox.serve")
    port = listening.getsockname()[1]
    sandbox = open_local(settings, owner=owner(data_dir, of=f"server-{port}"))
    try:
        ready = sandbox.ready()
        app = create_sandbox_app(
            sandbox,
            usual=usual_limits(settings),
            entry=entry(
                host=chosen.host,
                allowed_hosts=chosen.allowed_hosts,
                key=chosen.token.get_secret_value() if chosen.token else None,
            ),
            version=version("devops-chatbot"),
        )
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=5,
        )
        announce(
            f"Sandbox server on {url_of(reachable(chosen.host), port)}: image version {ready.version}, "
            f"runs {', '.join(ready.languages)}. Ctrl-C stops."
        )
        uvicorn.Server(config).run(sockets=[listening])
    finally:
        sandbox.close()
        listening.close()
