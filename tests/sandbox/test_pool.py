"""Warm sessions: started before anybody asks, as many as are used, each handed out once."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from patience import wait_until

from devops_chatbot.errors import SandboxUnavailable
from sandbox.docker.pool import Pool
from sandbox.model import Limits


class Container:
    """What the pool needs of a container."""

    def __init__(self) -> None:
        self.gone: str | None = None
        self.closed = False

    def close(self) -> None:
        self.closed = True


class Maker:
    """Starts containers, and remembers them."""

    def __init__(self) -> None:
        self.made: list[Container] = []
        self.away = False
        self.asked = 0
        self._lock = threading.Lock()

    def __call__(self, limits: Limits) -> Container:
        self.asked += 1
        if self.away:
            raise SandboxUnavailable("no engine")
        with self._lock:
            self.made.append(Container())
            return self.made[-1]


LIMITS = Limits()


@pytest.fixture
def maker() -> Maker:
    return Maker()


@pytest.fixture
def pool(maker: Maker) -> Iterator[Callable[..., Pool]]:
    pools: list[Pool] = []

    def build(*, least: int = 0, most: int = 4, patience_s: float = 60.0) -> Pool:
        pools.append(Pool(maker, LIMITS, least=least, most=most, patience_s=patience_s))  # type: ignore[arg-type]
        return pools[-1]

    yield build
    for each in pools:
        each.close()


def test_nothing_is_started_before_somebody_asks(pool: Callable[..., Pool], maker: Maker) -> None:
    idle = pool(least=2)
    time.sleep(0.1)
    assert (maker.made, idle.waiting) == ([], 0)
    idle.warm()
    wait_until(lambda: idle.waiting == 2)


def test_no_container_is_handed_out_twice(pool: Callable[..., Pool], maker: Maker) -> None:
    busy = pool(most=3)
    with ThreadPoolExecutor(16) as threads:
        taken = list(threads.map(lambda _: busy.take(LIMITS), range(200)))
    assert len({id(container) for container in taken}) == 200


def test_it_grows_with_use_and_not_beyond_its_bound(pool: Callable[..., Pool]) -> None:
    growing = pool(most=3)
    growing.take(LIMITS)
    wait_until(lambda: growing.waiting == 1)
    for _ in range(5):
        growing.take(LIMITS)
    wait_until(lambda: growing.waiting == 3)
    time.sleep(0.1)
    assert growing.waiting == 3


def test_it_shrinks_when_nobody_asks_any_more(pool: Callable[..., Pool], maker: Maker) -> None:
    resting = pool(least=0, most=3, patience_s=2)
    used = [resting.take(LIMITS) for _ in range(4)]
    wait_until(lambda: resting.waiting == 3)
    wait_until(lambda: resting.waiting == 0)
    waited = [container for container in maker.made if not any(container is one for one in used)]
    wait_until(lambda: all(container.closed for container in waited))
    assert not any(container.closed for container in used)


def test_a_container_that_died_while_it_waited_is_not_handed_out(pool: Callable[..., Pool], maker: Maker) -> None:
    patient = pool(most=1)
    patient.warm()
    wait_until(lambda: patient.waiting == 1)
    maker.made[0].gone = "killed from outside"
    assert patient.take(LIMITS) is not maker.made[0]
    assert maker.made[0].closed  # its stream and its container are let go of


def test_other_limits_get_a_container_of_their_own(pool: Callable[..., Pool], maker: Maker) -> None:
    some = pool(most=1)
    some.warm()
    wait_until(lambda: some.waiting == 1)
    assert some.take(Limits(memory_mb=300)) is not maker.made[0]
    assert some.waiting == 1


def test_an_engine_that_is_away_is_not_asked_again_and_again(pool: Callable[..., Pool], maker: Maker) -> None:
    maker.away = True
    lonely = pool(least=1)
    lonely.warm()
    time.sleep(0.3)
    assert maker.asked == 1
    with pytest.raises(SandboxUnavailable):
        lonely.take(LIMITS)
    assert lonely.waiting == 0
