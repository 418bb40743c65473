"""A real Docker engine and the sandbox's image on it, for every area of the tests that runs code."""

import os
from collections.abc import Iterator

import pytest
from own_dockerd import Daemon, program, with_gvisor

from devops_chatbot.errors import ChatbotError, SandboxUnavailable
from sandbox.docker import image_build
from sandbox.docker.engine import Engine

REMEDY = "install and start it: apt-get install docker.io debootstrap"


def missing(what: str, remedy: str) -> None:
    """As in the shared fixtures: a failure in CI, a skip elsewhere."""
    reason = f"{what} is not here; {remedy}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The local engine; started for these tests when it is installed, does not run, and we may."""
    engine = Engine()
    try:
        engine.ping()
    except SandboxUnavailable as error:
        daemon = program()
        if daemon is None:
            missing("a Docker engine", f"{REMEDY} ({error})")
            return
        folder = tmp_path_factory.mktemp("dockerd")
        own = Daemon(daemon, engine, folder / "log", with_gvisor(folder))
        if not own.start():
            missing("a Docker engine", f"dockerd does not start: {own.said()}")
        Daemon.running = own
        try:
            yield engine
        finally:
            Daemon.running = None
            own.stop()
        return
    yield engine


@pytest.fixture(scope="session")
def image(engine: Engine) -> image_build.Image:
    """The image of this version, built once when the engine has none."""
    try:
        return image_build.find(engine)
    except SandboxUnavailable:
        pass
    try:
        return image_build.build(engine)
    except ChatbotError as error:
        missing("the sandbox's image", f"build it as root: devops-chatbot sandbox build ({error})")
        raise
