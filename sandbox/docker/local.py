"""The sandbox on an engine of this machine: sessions, their ends, and what was left over from before."""

import contextlib
import itertools
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from devops_chatbot.errors import LimitReached, NotFound, SandboxUnavailable
from sandbox.docker import image_build
from sandbox.docker.container import Container
from sandbox.docker.engine import INSTANCE_LABEL, OWNER_LABEL, Engine
from sandbox.docker.hardening import USERS, container_options
from sandbox.docker.image_build import Image
from sandbox.docker.pool import Pool
from sandbox.docker.session import LocalSession
from sandbox.egress import Egress, Network
from sandbox.limits import Bounds
from sandbox.model import DEFAULT_LANGUAGE, UNNAMED, AttackResult, Limits, SandboxReadiness, SessionInfo

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPolicy:
    """How many sessions there may be, how long they stay, and how many wait."""

    capacity: int = 32
    per_caller: int = 8
    idle_s: float = 900.0
    longest_s: float = 14_400.0
    warm_least: int = 0
    warm_most: int = 4


class LocalSandbox:
    """Implements `Sandbox` on one Docker engine.

    `owner` marks our containers: what carries it when the engine is first used was left behind, and is removed.
    Nothing is done to the engine before somebody asks for something.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        owner: str,
        image: str = image_build.TAG,
        runtime: str | None = None,
        bounds: Bounds | None = None,
        policy: SessionPolicy | None = None,
        network: Network | None = None,
    ) -> None:
        self._engine = engine
        self._owner = owner
        self._image_name = image
        self._runtime = runtime
        self._bounds = bounds or Bounds()
        self._policy = policy or SessionPolicy()
        self._network = network or Network()
        self._sessions: dict[str, LocalSession] = {}
        self._opening: list[str] = []
        self._instance = secrets.token_hex(8)
        self._numbers = itertools.count(secrets.randbelow(USERS))  # another product may use the same engine
        self._swept = False
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._checking = threading.Lock()
        self._image: Image | None = None
        self._languages: tuple[str, ...] = ()
        self._closed = False
        self._reaper: threading.Thread | None = None
        self._pool = Pool(
            self._make,
            self._bounds.usual,
            least=self._policy.warm_least,
            most=self._policy.warm_most,
        )

    def ready(self) -> SandboxReadiness:
        """See `Sandbox`."""
        image = self._checked(fresh=True)
        return SandboxReadiness(
            engine=self._engine.address,
            image=image.name,
            digest=image.digest,
            version=image.version,
            runtime=self._runtime or "runc",
            languages=self._languages or image_build.languages(),
            sessions=len(self._sessions),
            warm=self._pool.waiting,
            capacity=self._policy.capacity,
        )

    def warm(self) -> None:
        """Somebody is likely to open a session soon: have one ready."""
        self._pool.warm()

    def open(
        self, limits: Limits | None = None, *, language: str = DEFAULT_LANGUAGE, caller: str = UNNAMED
    ) -> "LocalSession":
        """See `Sandbox`."""
        wanted = self._bounds.checked(limits)
        rules = self._network.rules(wanted.network)
        with self._reserved(caller):
            session = LocalSession(
                lambda: self._pool.take(wanted),
                egress=(lambda: Egress(rules, self._network)) if rules else None,
                limits=wanted,
                language=language,
                caller=caller,
                idle_s=self._policy.idle_s,
                longest_s=self._policy.longest_s,
                engine=self._engine.address,
                on_close=self._forget,
            )
            with self._lock:
                self._sessions[session.id] = session
                if self._reaper is None:
                    self._reaper = threading.Thread(target=self._reap, name="sandbox-reaper", daemon=True)
                    self._reaper.start()
                self._changed.notify_all()
        return session

    def get(self, session_id: str, *, caller: str | None = None) -> "LocalSession":
        """See `Sandbox`."""
        session = self._sessions.get(session_id)
        if session is None or (caller is not None and session.info().caller != caller):
            raise NotFound("sandbox.no_session", id=session_id)
        return session

    def list(self, *, caller: str | None = None) -> list[SessionInfo]:
        """See `Sandbox`."""
        infos = [session.info() for session in list(self._sessions.values())]
        return sorted((i for i in infos if caller is None or i.caller == caller), key=lambda info: info.created_at)

    def sweep(self) -> int:
        """Remove containers that an earlier process of this owner left behind; how many."""
        left = self._engine.containers(self._owner, but=self._instance)
        for container in left:
            self._engine.remove(container)
        if left:
            log.warning("removed %d containers that an earlier process left behind", len(left))
        return len(left)

    def selftest(self, say: Callable[[AttackResult], None] = lambda _: None) -> Sequence[AttackResult]:
        """See `Sandbox`."""
        from sandbox import selftest

        image = self._checked()
        labels = {OWNER_LABEL: self._owner, INSTANCE_LABEL: self._instance}
        return selftest.run(self._engine, image, labels=labels, runtime=self._runtime, say=say)

    def close(self) -> None:
        """Close every session, and what waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for session in list(self._sessions.values()):
            session.close()
        self._pool.close()
        self._engine.close()

    def _make(self, limits: Limits) -> Container:
        image = self._checked()
        try:
            options = container_options(
                limits,
                image=image.digest,
                folder=image.folder,
                number=next(self._numbers),
                runtime=self._runtime,
                labels={OWNER_LABEL: self._owner, INSTANCE_LABEL: self._instance},
            )
            container = Container(self._engine, limits=limits, options=options)
        except SandboxUnavailable:
            self._image = None  # the engine may be another one now, or the image gone: look again next time
            raise
        self._languages = container.languages
        return container

    def _checked(self, *, fresh: bool = False) -> Image:
        """The image, after what was left behind is gone and the runtime is there. Raises `SandboxUnavailable`."""
        with self._checking:
            if self._closed:
                raise SandboxUnavailable("sandbox.closing")
            if self._image is None or fresh:
                self._image = None
                info = self._engine.info()
                if self._runtime and self._runtime not in info.runtimes:
                    known, address = info.runtimes, self._engine.address
                    raise SandboxUnavailable("sandbox.no_runtime", engine=address, runtime=self._runtime, known=known)
                image = image_build.find(self._engine, self._image_name)
                if not self._swept:
                    self.sweep()
                    self._swept = True
                self._image = image
            return self._image

    @contextlib.contextmanager
    def _reserved(self, caller: str) -> Iterator[None]:
        """A place for one more session of this caller, while it is being opened."""
        with self._lock:
            callers = [session.caller for session in self._sessions.values()] + self._opening
            if callers.count(caller) >= self._policy.per_caller:
                raise LimitReached("sandbox.too_many_sessions", most=self._policy.per_caller)
            if len(callers) >= self._policy.capacity:
                raise SandboxUnavailable("sandbox.full", capacity=self._policy.capacity)
            self._opening.append(caller)
        try:
            yield
        finally:
            with self._lock:
                self._opening.remove(caller)

    def _forget(self, session_id: str) -> None:
        with self._lock:
            self._sessions.pop(session_id, None)

    def _reap(self) -> None:
        """Close sessions that nobody uses."""
        while True:
            with self._changed:
                if self._closed:
                    return
                now = time.time()
                ends = {session: session.expires_at for session in self._sessions.values()}
                expired = [session for session, end in ends.items() if end <= now]
                if not expired:
                    self._changed.wait(max(0.05, min(ends.values()) - now) if ends else None)
                    continue
            for session in expired:
                session.expire()
