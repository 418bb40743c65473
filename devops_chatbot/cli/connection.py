"""Finds the server to talk to: the one that was named, the one that owns the data directory, or one in this process."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devops_chatbot.cli.output import language
from devops_chatbot.client.client import Client
from devops_chatbot.config.data_directory import DataDirectory, OwnedByAnother, open_data_directory, running_server
from devops_chatbot.config.settings import load
from sandbox.http.remote import RemoteSandbox

PATIENCE_S = 10
"""Another command may own the data directory for a moment, and a server that starts owns it before it answers."""


class Link:
    """How this run of the command line reaches the routes; `where` says it in words once a client was made."""

    def __init__(self, url: str | None) -> None:
        self._url = url
        self.where = ""

    @contextmanager
    def sandbox(self) -> Iterator[RemoteSandbox]:
        """The sandbox behind the same routes; sessions that were opened through it end with it."""
        with self.client() as client:
            sandbox = RemoteSandbox(http=client.http)
            try:
                yield sandbox
            finally:
                sandbox.close()

    @contextmanager
    def client(self) -> Iterator[Client]:
        settings = load()
        key = settings.server.key.get_secret_value() if settings.server.key else None
        data = self._url or _owner_or_own(settings.data_dir)
        if isinstance(data, str):
            self.where = f"Server: {data}."
            with Client(data, key=key, language=language()) as client:
                yield client
            return
        from devops_chatbot.api.app import create_app
        from devops_chatbot.bootstrap import build
        from devops_chatbot.cli.inprocess import InProcess

        self.where = f"No server runs on {settings.data_dir}; this command worked on it directly."
        try:
            with (
                InProcess(create_app(build(settings, data))) as transport,
                Client("http://localhost", key=key, language=language(), transport=transport) as client,
            ):
                yield client
        finally:
            data.close()


def _owner_or_own(path: Path) -> str | DataDirectory:
    """The address of the server that owns the directory, or the directory, which is ours from then on.

    Raises `OwnedByAnother` when its owner neither answers nor ends within our patience.
    """
    deadline = time.monotonic() + PATIENCE_S
    while True:
        running = running_server(path)
        if running:
            return running.api
        try:
            return open_data_directory(path)
        except OwnedByAnother:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.1)
