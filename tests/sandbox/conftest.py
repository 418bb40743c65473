"""A real engine, the image, and sandboxes on them."""

import os
from collections.abc import Iterator

import pytest
from docker_engine import Daemon, engine, image, offering

from sandbox.docker import image_build
from sandbox.docker.engine import Engine
from sandbox.docker.local import LocalSandbox, SessionPolicy

__all__ = ["engine", "image", "offering"]


@pytest.fixture
def daemon(engine: Engine) -> Daemon:
    """The engine as something that may be stopped and started; only where these tests started it."""
    if Daemon.running is None:
        pytest.skip("the engine ran before these tests; it is not theirs to stop")
    return Daemon.running


@pytest.fixture(scope="session")
def local(engine: Engine, image: image_build.Image) -> Iterator[LocalSandbox]:
    """One sandbox for many tests, with warm sessions."""
    sandbox = LocalSandbox(
        engine, owner=f"tests-{os.getpid()}", policy=SessionPolicy(warm_least=1, warm_most=2, per_caller=64)
    )
    yield sandbox
    sandbox.close()
    assert engine.containers(f"tests-{os.getpid()}") == []
