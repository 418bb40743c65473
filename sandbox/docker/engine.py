"""The container engine: the only module that knows the Docker SDK, loaded on first use."""

import contextlib
import os
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from devops_chatbot.errors import SandboxUnavailable
from sandbox.docker.hardening import ContainerOptions

if TYPE_CHECKING:
    from docker import APIClient

TIMEOUT_S = 60
LABEL = "devops-chatbot.sandbox"
OWNER_LABEL = f"{LABEL}.owner"
INSTANCE_LABEL = f"{LABEL}.instance"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineImage:
    """An image that the engine has."""

    digest: str
    labels: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineInfo:
    """What the engine says about itself."""

    version: str
    runtimes: tuple[str, ...]


_PLAIN = ("unix://", "http+unix://", "tcp://", "http://")
"""Schemes of addresses whose connection is a socket that a session can have to itself, in two threads at once."""


class Stream:
    """The bytes of a container's process: what is written goes to its stdin, what it prints comes out."""

    def __init__(self, attached: Any) -> None:
        # A descriptor of our own, so that nothing of the SDK's has to stay.
        self._socket = socket.socket(fileno=os.dup(attached.fileno()))
        attached._response.close()
        self._socket.settimeout(None)
        # A container that does not read must not hold its caller for ever.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 30, 0))

    def send(self, data: bytes) -> None:
        """Raises OSError when the container has gone or does not read."""
        self._socket.sendall(data)

    def pieces(self) -> Iterator[tuple[int, bytes]]:
        """(1 for stdout or 2 for stderr, bytes) until the container has gone."""
        buffer = bytearray()
        while True:
            try:
                received = self._socket.recv(1 << 18)
            except OSError:
                return
            if not received:
                return
            buffer += received
            start = 0
            while len(buffer) - start >= 8:
                length = int.from_bytes(buffer[start + 4 : start + 8], "big")
                if len(buffer) - start < 8 + length:
                    break
                yield buffer[start], bytes(buffer[start + 8 : start + 8 + length])
                start += 8 + length
            if start:
                del buffer[:start]

    def close(self) -> None:
        """End the stream; the container's process sees that and ends."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            self._socket.close()


class Engine:
    """A Docker engine, by its address or by the environment (`DOCKER_HOST`) and the usual socket.

    Every method raises `SandboxUnavailable` when the engine does not answer or refuses.
    """

    def __init__(self, address: str | None = None) -> None:
        self._address = address
        self._client: APIClient | None = None
        self._lock = threading.Lock()

    @property
    def address(self) -> str:
        """Where the engine is, for people."""
        return self._address or os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"

    def info(self) -> EngineInfo:
        """Version and runtimes of the engine."""
        with self._translated():
            info = self._api().info()
        return EngineInfo(
            version=str(info.get("ServerVersion", "")),
            runtimes=tuple(sorted(info.get("Runtimes") or ())),
        )

    def ping(self) -> None:
        """Nothing, when the engine answers."""
        with self._translated():
            self._api().ping()

    def image(self, name: str) -> EngineImage | None:
        """The image of this name, if the engine has it; nothing is ever pulled."""
        from docker.errors import ImageNotFound

        with self._translated():
            try:
                found = self._api().inspect_image(name)
            except ImageNotFound:
                return None
        return EngineImage(digest=found["Id"], labels=dict(found["Config"].get("Labels") or {}))

    def create(self, options: ContainerOptions) -> str:
        """A new container, not started; its id."""
        with self._translated():
            return str(self._api().create_container_from_config(options)["Id"])

    def attach(self, container: str) -> Stream:
        """The stream of a container that is not started yet."""
        with self._translated():
            wanted = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            return Stream(self._api().attach_socket(container, params=wanted))

    def start(self, container: str) -> None:
        """Start a container."""
        with self._translated():
            self._api().start(container)

    def remove(self, container: str) -> None:
        """End a container and remove it; when this returns it has gone."""
        from docker.errors import APIError, NotFound

        with self._translated(), contextlib.suppress(NotFound):
            try:
                self._api().remove_container(container, force=True, v=True)
            except APIError as error:
                if error.status_code != HTTPStatus.CONFLICT:
                    raise
                self._api().wait(container, condition="removed")  # the engine is removing it already

    def containers(self, owner: str, *, but: str = "") -> list[str]:
        """Ids of the containers, running or not, that carry our label with this owner; not the instance `but`'s."""
        with self._translated():
            found = self._api().containers(all=True, filters={"label": [f"{OWNER_LABEL}={owner}"]})
        return [str(each["Id"]) for each in found if not but or each["Labels"].get(INSTANCE_LABEL) != but]

    def import_base(self, tar: Path, *, repository: str, tag: str) -> str:
        """Make an image of one layer from the tar of a root file system; its digest."""
        with self._translated():
            api = self._api()
            api.import_image_from_file(str(tar), repository=repository, tag=tag)
            return str(api.inspect_image(f"{repository}:{tag}")["Id"])

    def build(
        self, context: IO[bytes], *, tag: str, labels: dict[str, str], arguments: dict[str, str]
    ) -> Iterator[str]:
        """Build an image from a tar with a Dockerfile, saying line by line what happens."""
        with self._translated():
            lines = self._api().build(
                fileobj=context,
                custom_context=True,
                tag=tag,
                labels=labels,
                buildargs=arguments,
                rm=True,
                forcerm=True,
                decode=True,
                timeout=3600,
            )
            for line in lines:
                if "error" in line:
                    raise SandboxUnavailable("sandbox.build_failed", error=str(line["error"]).strip())
                if text := str(line.get("stream") or line.get("status") or "").rstrip():
                    yield text

    def close(self) -> None:
        """Let go of the connections."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _api(self) -> "APIClient":
        with self._lock:
            if self._client is None:
                from docker import APIClient
                from docker.utils import kwargs_from_env

                options = kwargs_from_env()
                if self._address:
                    options["base_url"] = self._address
                if options.get("tls") or not str(options.get("base_url") or "unix://").startswith(_PLAIN):
                    raise SandboxUnavailable("sandbox.engine_remote", engine=self.address)
                self._client = APIClient(version="auto", timeout=TIMEOUT_S, **options)
            return self._client

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        from docker.errors import DockerException
        from requests.exceptions import RequestException

        try:
            yield
        except (DockerException, RequestException, OSError) as error:
            text = str(getattr(error, "explanation", None) or error)
            if "FileNotFoundError" in text or "ConnectionRefused" in text or "Connection refused" in text:
                raise SandboxUnavailable("sandbox.engine_silent", engine=self.address) from error
            if "PermissionError" in text or "Permission denied" in text:
                raise SandboxUnavailable("sandbox.engine_forbidden", engine=self.address) from error
            raise SandboxUnavailable("sandbox.engine_refused", engine=self.address, error=text.strip()) from error
