"""A real Docker engine and the sandbox's image on it, for every area of the tests that runs code."""

import os
import shutil
from collections.abc import Iterator

import pytest
from own_dockerd import Daemon

from devops_chatbot.errors import ChatbotError, SandboxUnavailable
from sandbox import image_build
from sandbox.engine import Engine

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
        daemon = shutil.which("dockerd") or shutil.which("dockerd", path="/usr/sbin:/sbin")
        if daemon is None or os.geteuid() != 0:
            missing("a Docker engine", f"{REMEDY} ({error})")
            return
        own = Daemon(daemon, engine, tmp_path_factory.mktemp("dockerd") / "log")
        if not own.start():
            missing("a Docker engine", f"dockerd does not start: {own.said()}")
        try:
            yield engine
        finally:
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
