"""Finds the server to talk to: the one that was named, the one that owns the data directory, or one in this process."""

from collections.abc import Iterator
from contextlib import contextmanager

from devops_chatbot.client import Client
from devops_chatbot.datadir import open_data_directory, running_server
from devops_chatbot.settings import load
from sandbox.remote import RemoteSandbox

PATIENCE_S = 5
"""Another command may own the data directory for a moment."""


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
        running = None if self._url else running_server(settings.data_dir)
        url = self._url or (running.api if running else None)
        if url:
            self.where = f"Server: {url}."
            with Client(url, key=key) as client:
                yield client
            return
        from devops_chatbot.api.app import create_app
        from devops_chatbot.bootstrap import build
        from devops_chatbot.cli.inprocess import InProcess

        self.where = f"No server runs on {settings.data_dir}; this command worked on it directly."
        data = open_data_directory(settings.data_dir, patience_s=PATIENCE_S)
        try:
            with (
                InProcess(create_app(build(settings, data))) as transport,
                Client("http://localhost", key=key, transport=transport) as client,
            ):
                yield client
        finally:
            data.close()
