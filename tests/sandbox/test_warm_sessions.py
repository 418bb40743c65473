"""Sessions that wait: as many as are used of late, none when nobody asks, and each for one person only."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from patience import wait_until

from sandbox.docker.container import Container
from sandbox.docker.engine import OWNER_LABEL, Engine
from sandbox.docker.hardening import container_options
from sandbox.docker.image_build import Image
from sandbox.docker.local import LocalSandbox, SessionPolicy
from sandbox.docker.pool import Pool
from sandbox.model import Limits

pytestmark = pytest.mark.service
ENGINE_SOCKET = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")


class Relay:
    """Stands before the engine's socket and counts the bytes that it is asked with."""

    def __init__(self, path: Path) -> None:
        self.address = f"unix://{path}"
        self.asked = 0
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        self._listening.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                here, _ = self._listening.accept()
            except OSError:
                return
            there = socket.socket(socket.AF_UNIX)
            there.connect(ENGINE_SOCKET)
            threading.Thread(target=self._copy, args=(here, there, True), daemon=True).start()
            threading.Thread(target=self._copy, args=(there, here, False), daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket, counts: bool) -> None:
        try:
            while piece := source.recv(1 << 16):
                if counts:
                    self.asked += len(piece)
                target.sendall(piece)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            target.close()

    def close(self) -> None:
        """Accept nobody any more."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


@contextmanager
def pool(engine: Engine, image: Image, owner: str, *, most: int, patience_s: float) -> Iterator[Pool]:
    """A pool of real containers."""

    def make(limits: Limits) -> Container:
        labels = {OWNER_LABEL: owner}
        return Container(
            engine,
            limits=limits,
            options=container_options(limits, image=image.digest, folder=image.folder, labels=labels),
        )

    made = Pool(make, Limits(), least=0, most=most, patience_s=patience_s)
    try:
        yield made
    finally:
        made.close()
        assert engine.containers(owner) == []


def test_the_pool_grows_with_use(engine: Engine, image: Image) -> None:
    owner = f"tests-pool-{os.getpid()}"
    with pool(engine, image, owner, most=3, patience_s=3600) as containers:
        assert containers.waiting == 0
        containers.warm()
        wait_until(lambda: containers.waiting == 1)
        time.sleep(0.5)
        assert containers.waiting == 1  # one waits for the one that is used; more would be for nobody
        taken: list[Container] = []
        askers = [threading.Thread(target=lambda: taken.append(containers.take(Limits()))) for _ in range(3)]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join()
        wait_until(lambda: containers.waiting == 3)
        assert len(engine.containers(owner)) == 6
        assert len({container.id for container in taken}) == 3
        for container in taken:
            container.close()


def test_the_pool_is_empty_again_when_nobody_asks(engine: Engine, image: Image) -> None:
    owner = f"tests-pool-idle-{os.getpid()}"
    with pool(engine, image, owner, most=3, patience_s=1) as containers:
        containers.take(Limits()).close()  # another one begins to wait for the next who asks
        wait_until(lambda: engine.containers(owner) == [] and containers.waiting == 0)


def test_a_container_that_died_while_it_waited_is_not_handed_out(engine: Engine, image: Image) -> None:
    owner = f"tests-pool-dead-{os.getpid()}"
    with pool(engine, image, owner, most=1, patience_s=3600) as containers:
        containers.warm()
        wait_until(lambda: containers.waiting == 1)
        (dead,) = engine.containers(owner)
        engine.remove(dead)
        wait_until(lambda: engine.containers(owner) == [])
        time.sleep(0.2)  # the end of its stream has to be seen
        container = containers.take(Limits())
        assert container.id != dead
        assert container.gone is None
        container.close()


def test_the_engine_is_left_alone_while_nobody_asks(image: Image, tmp_path: Path) -> None:
    relay = Relay(tmp_path / "engine.sock")
    owner = f"tests-pool-quiet-{os.getpid()}"
    sandbox = LocalSandbox(Engine(relay.address), owner=owner, policy=SessionPolicy(warm_most=2))
    try:
        time.sleep(1)
        assert relay.asked == 0  # nothing before the first use
        session = sandbox.open()
        assert session.run("print(1)").stdout == "1\n"
        wait_until(lambda: sandbox.ready().warm == 1)
        time.sleep(0.5)
        before = relay.asked
        assert before > 0
        time.sleep(3)
        assert relay.asked == before
        session.close()
    finally:
        sandbox.close()
        relay.close()


def test_a_used_session_is_never_handed_to_another(engine: Engine, image: Image) -> None:
    owner = f"tests-pool-used-{os.getpid()}"
    sandbox = LocalSandbox(engine, owner=owner, policy=SessionPolicy(warm_least=1, warm_most=2))
    used: list[str] = []
    look = "import os\nprint(sorted(os.listdir('/work') + os.listdir('/tmp') + os.listdir('/dev/shm')), 'mine' in globals())"
    mark = "mine = 1\nfor place in ('/work', '/tmp', '/dev/shm'): open(place + '/mark', 'w').close()"
    fresh = ""
    try:
        for caller in ("ann", "bob", "ann", "eve", "bob", "ann"):
            session = sandbox.open(caller=caller)
            used.append(session.container)
            seen = session.run(look).stdout
            fresh = fresh or seen
            assert seen == fresh
            assert "mark" not in seen
            session.run(mark)
            assert "mark" in session.run(look).stdout  # what it looks for can be seen
            session.reset()
            used.append(session.container)
            assert session.run(look).stdout == fresh
            session.close()
            assert set(engine.containers(owner)) & set(used) == set()
    finally:
        sandbox.close()
    assert len(set(used)) == 12
