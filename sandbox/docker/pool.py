"""Containers that wait, started before anybody asks for them. A container is handed out once and never comes back."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from devops_chatbot.errors import SandboxUnavailable
from sandbox.docker.container import Container
from sandbox.docker.hardening import same_container
from sandbox.model import Limits

WINDOW_S = 120.0
PATIENCE_S = 600.0
"""After so long without a request the pool shrinks to its least size: an unused product costs the engine nothing."""
RETRY_S = 30.0
LOOK_S = 30.0
log = logging.getLogger(__name__)


class Pool:
    """Keeps as many containers with these limits ready as were asked for at once of late, between `least` and `most`.

    Its thread sleeps until something is taken or the pool has to shrink.
    """

    def __init__(
        self,
        make: Callable[[Limits], Container],
        limits: Limits,
        *,
        least: int,
        most: int,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._make = make
        self._limits = limits
        self._least = least
        self._most = most
        self._patience_s = patience_s
        self._ready: deque[Container] = deque()
        self._taken: deque[float] = deque()
        self._last_use = float("-inf")
        self._pause_until = 0.0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many containers wait."""
        return len(self._ready)

    def take(self, limits: Limits) -> Container:
        """A container that nobody has used: a waiting one where the limits fit, otherwise a new one."""
        container = None
        dead: list[Container] = []
        if self._most > 0 and same_container(limits, self._limits):
            with self._changed:
                now = time.monotonic()
                self._last_use = now
                self._taken.append(now)
                while self._ready and container is None:
                    waiting = self._ready.popleft()
                    if waiting.gone is None:
                        container = waiting
                    else:
                        dead.append(waiting)
                self._work()
        for each in dead:
            each.close()
        return container if container is not None else self._make(limits)

    def warm(self) -> None:
        """Somebody is likely to ask soon."""
        with self._changed:
            if self._most > 0:
                self._last_use = time.monotonic()
                self._work()

    def close(self) -> None:
        """End every waiting container."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(timeout=60)
        while self._ready:
            self._ready.popleft().close()

    def _work(self) -> None:
        """Wake the thread; the lock is held."""
        if self._thread is None and not self._closed:
            self._thread = threading.Thread(target=self._keep, name="sandbox-pool", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _wanted(self, now: float) -> int:
        if now - self._last_use > self._patience_s:
            return self._least
        while self._taken and now - self._taken[0] > WINDOW_S:
            self._taken.popleft()
        # As many as were taken within the time in which that many could not have been started one after the other.
        burst = sum(1 for moment in self._taken if self._taken[-1] - moment < 2.0)
        return min(self._most, max(self._least, 1, burst))

    def _keep(self) -> None:
        while True:
            surplus: list[Container] = []
            with self._changed:
                if self._closed:
                    return
                now = time.monotonic()
                for container in [container for container in self._ready if container.gone is not None]:
                    self._ready.remove(container)
                    surplus.append(container)
                missing = self._wanted(now) - len(self._ready)
                while missing < 0:
                    surplus.append(self._ready.pop())
                    missing += 1
                if not surplus and (missing == 0 or now < self._pause_until):
                    if now < self._pause_until:
                        pause: float | None = self._pause_until - now
                    elif len(self._ready) > self._least:
                        pause = min(LOOK_S, self._patience_s)
                    else:
                        pause = None  # nothing can change without a call
                    self._changed.wait(pause)
                    continue
            for container in surplus:
                container.close()
            if missing > 0 and now >= self._pause_until:
                self._add()

    def _add(self) -> None:
        try:
            container = self._make(self._limits)
        except SandboxUnavailable as error:
            log.info("no session is kept ready: %s", error)
            self._pause_until = time.monotonic() + RETRY_S
            return
        with self._changed:
            if not self._closed:
                self._ready.append(container)
                return
        container.close()
