"""Runs the API and the web pages together, says where they are, and stops both cleanly."""

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from devops_chatbot.api.loopback import is_loopback, reachable
from devops_chatbot.config.data_directory import Address, DataDirectory, open_data_directory
from devops_chatbot.config.settings import PREFIX, Settings
from devops_chatbot.errors import ConfigError, Unavailable
from devops_chatbot.server.garbage import leave_out_what_is_loaded, look_seldom
from devops_chatbot.server.listening import listen, url_of
from devops_chatbot.server.malloc import bound_arenas, give_back_forever

if TYPE_CHECKING:
    from fastapi import FastAPI

UI_START_S = 120
"""Only what hangs takes so long: pages that end while they start are noticed at once."""
UI_STOP_S = 5
UI_HEALTHY_S = 10
"""Web pages that ended sooner than this after a start are not started again."""
STREAMS_END_S = 5
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """Where everything listens; given to the caller once all of it answers."""

    api: str
    ui: str | None
    seconds: float


def serve(settings: Settings, *, ui: bool = True, announce: Callable[[Started], None]) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises `ConfigError` for a port that is taken or an unsafe address, `StoreUnavailable` when another server owns the
    data directory, and `Unavailable` when the web pages do not stay up.
    """
    if settings.server.key is None and not is_loopback(settings.server.host):
        raise ConfigError("settings.server_open", host=settings.server.host)
    import uvloop

    data = open_data_directory(settings.data_dir)
    try:
        api = listen(settings.server.host, settings.server.port, setting="server")
        ui_port = _free(settings.server.host, settings.server.ui_port) if ui else None
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(settings, data, api, ui_port, announce))
    finally:
        data.close()


async def _run(
    settings: Settings,
    data: DataDirectory,
    api: socket.socket,
    ui_port: int | None,
    announce: Callable[[Started], None],
) -> None:
    begun = time.monotonic()
    bound_arenas()
    look_seldom()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    host = reachable(settings.server.host)
    api_url = url_of(host, api.getsockname()[1])
    pages = _Pages(settings, api_url=api_url, port=ui_port, log=data.folder("logs") / "webui.log") if ui_port else None
    async with contextlib.AsyncExitStack() as stack:
        if pages:
            await pages.start()  # first, because it takes longest; the API is imported meanwhile
            stack.push_async_callback(pages.stop)
        server = asyncio.create_task(_serve_api(settings, data, api, stop))
        watch = asyncio.create_task(pages.keep() if pages else stop.wait())
        started = asyncio.create_task(_answering(api_url, pages))
        memory = asyncio.create_task(give_back_forever())
        stack.push_async_callback(_ended, server, stop)
        await asyncio.wait({server, watch, started}, return_when=asyncio.FIRST_COMPLETED)
        if started.done() and not started.exception() and not server.done():
            ui_url = pages.url if pages else None
            data.publish(Address(api=api_url, ui=ui_url, pid=os.getpid()))
            leave_out_what_is_loaded()
            announce(Started(api=api_url, ui=ui_url, seconds=time.monotonic() - begun))
            await asyncio.wait({server, watch}, return_when=asyncio.FIRST_COMPLETED)
        for task in (watch, started, memory):
            task.cancel()
        for task in (server, watch, started):
            if task.done() and not task.cancelled() and (error := task.exception()):
                raise error


async def _serve_api(settings: Settings, data: DataDirectory, listening: socket.socket, stop: asyncio.Event) -> None:
    app = await asyncio.to_thread(_app, settings, data)
    import uvicorn

    class Server(uvicorn.Server):
        """Ours stops on our event, ends its streams first, and leaves the signals to us."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            app.state.context.streams.close()
            await super().shutdown(sockets)

    config = uvicorn.Config(
        app,
        lifespan="off",  # ours, below: so that what goes wrong at the start is raised and not logged
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=STREAMS_END_S,
        server_header=False,
    )
    server = Server(config)

    async def obey() -> None:
        await stop.wait()
        server.should_exit = True

    async with app.router.lifespan_context(app):
        obedience = asyncio.create_task(obey())
        try:
            await server.serve(sockets=[listening])
        finally:
            obedience.cancel()


def _app(settings: Settings, data: DataDirectory) -> "FastAPI":
    from devops_chatbot.api.app import create_app
    from devops_chatbot.bootstrap import build

    return create_app(build(settings, data))


async def _ended(server: asyncio.Task[None], stop: asyncio.Event) -> None:
    stop.set()
    await asyncio.wait({server})


class _Pages:
    """The Streamlit process. It gets the API's address and, on loopback, its key; none of the other settings."""

    def __init__(self, settings: Settings, *, api_url: str, port: int, log: Path) -> None:
        import webui

        server = settings.server
        self.url = url_of(reachable(server.host), port)
        self.health = f"{self.url}/_stcore/health"
        self._log = log
        self._folder = Path(str(webui.__file__)).parent
        self._begun = 0.0
        self._said_before = 0
        self._process: asyncio.subprocess.Process | None = None
        self._environment = {name: value for name, value in os.environ.items() if not name.upper().startswith(PREFIX)}
        self._environment["CHATBOT_API_URL"] = api_url
        if server.key and is_loopback(server.host):
            # Beyond loopback everybody would ask with this key; there, each person gives it to the pages.
            self._environment["CHATBOT_API_KEY"] = server.key.get_secret_value()
        options = {
            "server.address": server.host,
            "server.port": port,
            "server.headless": "true",
            "server.fileWatcherType": "none",
            "server.maxUploadSize": settings.knowledge.max_upload_mb,
            "browser.gatherUsageStats": "false",
            "browser.serverAddress": reachable(server.host),
            "client.toolbarMode": "minimal",
        }
        self._command = [sys.executable, "-P", "-m", "webui", "run", str(self._folder / "app.py")]
        self._command += [f"--{name}={value}" for name, value in options.items()]

    async def start(self) -> None:
        self._begun = time.monotonic()
        libc = ctypes.CDLL(None) if sys.platform == "linux" else None

        def die_with_us() -> None:
            if libc is not None:
                libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

        with self._log.open("ab") as log:
            self._said_before = log.tell()
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                cwd=self._folder,
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C goes to us alone, and we stop it
                preexec_fn=die_with_us,
            )

    def answered(self) -> None:
        """From now on counts how long they stay up, however slowly they started."""
        self._begun = time.monotonic()

    async def keep(self) -> None:
        """Start the pages again when they end. Raises `Unavailable` when they end at once."""
        while self._process is not None:
            code = await self._process.wait()
            if time.monotonic() - self._begun < UI_HEALTHY_S:
                with self._log.open("rb") as log:
                    log.seek(max(self._said_before, log.seek(0, os.SEEK_END) - 2000))
                    tail = log.read().decode("utf-8", "replace").strip()
                raise Unavailable("server.pages_ended", code=code, log=self._log, tail=tail)
            await self.start()

    async def stop(self) -> None:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), UI_STOP_S)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _answering(api_url: str, pages: _Pages | None) -> None:
    """Returns once the API is ready and the pages answer."""
    import httpx

    async with httpx.AsyncClient(trust_env=False, timeout=UI_START_S) as client:
        for address in (f"{api_url}/healthz", *([pages.health] if pages else [])):
            deadline = time.monotonic() + UI_START_S
            while True:
                with contextlib.suppress(httpx.TransportError):
                    if (await client.get(address)).is_success:
                        if pages and address == pages.health:
                            pages.answered()
                        break
                if time.monotonic() > deadline:
                    raise Unavailable("server.pages_silent", address=address, seconds=UI_START_S)
                await asyncio.sleep(0.05)


def _free(host: str, port: int) -> int:
    """A port that nobody listens on now."""
    with listen(host, port, setting="server", name="ui_port") as probe:
        return int(probe.getsockname()[1])
