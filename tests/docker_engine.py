"""A real Docker engine, the sandbox's image on it and one that offers gVisor: found, or started and built, once a run."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import docker
import pytest
from patience import PATIENCE_S, wait_until
from services import Missing, Service, needed

from devops_chatbot.errors import ChatbotError, SandboxUnavailable
from sandbox.docker import image_build
from sandbox.docker.engine import Engine

GVISOR = "runsc"


class Daemon:
    """An engine that these tests started, and so may stop."""

    running: "Daemon | None" = None
    """The one that all tests use, when it is ours."""

    def __init__(self, command: Sequence[str], engine: Engine, folder: Path) -> None:
        self._command = command
        self._engine = engine
        self._log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it answers. Raises `Missing` when it does not."""
        with self._log.open("ab") as written:
            process = subprocess.Popen(self._command, stdout=written, stderr=subprocess.STDOUT, start_new_session=True)
        self._process = process
        wait_until(lambda: process.poll() is not None or self._answers())
        if process.poll() is not None:
            raise Missing(f"a Docker engine: dockerd does not start: {self._log.read_text(errors='replace')[-500:]}")

    def stop(self) -> None:
        """Returns when it has ended, and its containers with it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(PATIENCE_S)

    def _answers(self) -> bool:
        try:
            self._engine.ping()
        except SandboxUnavailable:
            return False
        return True


def _dockerd() -> str | None:
    """The engine's program, where it is installed and we may start it."""
    found = shutil.which("dockerd") or shutil.which("dockerd", path="/usr/sbin:/sbin")
    return found if os.geteuid() == 0 else None


def _with_gvisor(folder: Path) -> list[str]:
    """Arguments of an engine that offers gVisor as our documentation says, where it is installed."""
    runsc = shutil.which(GVISOR)
    if runsc is None:
        return []
    wrapper = folder / GVISOR
    wrapper.write_text(f'#!/bin/sh\nexec {runsc} --network=none --oci-seccomp "$@"\n')
    wrapper.chmod(0o755)
    return ["--add-runtime", f"{GVISOR}={wrapper}"]


@Service
def local_engine(say: Callable[[str], None]) -> Iterator[Engine]:
    """The engine of this machine; started when it is installed, does not run, and we may."""
    engine = Engine()
    try:
        engine.ping()
    except SandboxUnavailable as error:
        dockerd = _dockerd()
        if dockerd is None:
            raise Missing(f"a Docker engine: apt-get install docker.io debootstrap, and start it ({error})") from error
        say("Starting a Docker engine")
        with tempfile.TemporaryDirectory(prefix="dockerd-") as name:
            own = Daemon([dockerd, *_with_gvisor(Path(name))], engine, Path(name))
            own.start()
            Daemon.running = own
            try:
                yield engine
            finally:
                Daemon.running = None
                own.stop()
    else:
        yield engine
    engine.close()


@Service
def sandbox_image(say: Callable[[str], None]) -> Iterator[image_build.Image]:
    """The image of this version, built when the engine has none."""
    engine = local_engine.get(say)
    try:
        found = image_build.find(engine)
    except SandboxUnavailable:
        say("Building the sandbox's image, which takes minutes")
        try:
            found = image_build.build(engine, say=lambda line: say(f"  {line}") if line.startswith("Step ") else None)
        except ChatbotError as error:
            raise Missing(f"the sandbox's image: build it as root: devops-chatbot sandbox build ({error})") from error
    yield found


@Service
def gvisor_engine(say: Callable[[str], None]) -> Iterator[Engine]:
    """An engine that offers gVisor: the one of all tests, or one beside it with the same image."""
    engine = local_engine.get(say)
    sandbox_image.get(say)
    if GVISOR in engine.info().runtimes:
        yield engine
        return
    if os.environ.get("CI") != "true":
        raise Missing(
            f"an engine with {GVISOR}: in CI one is started beside that of this machine, which takes a minute"
        )
    dockerd, unshare = _dockerd(), shutil.which("unshare")
    with tempfile.TemporaryDirectory(prefix="dockerd-gvisor-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        arguments = _with_gvisor(folder)
        if not arguments or dockerd is None or unshare is None:
            raise Missing(f"an engine with {GVISOR}: apt-get install docker.io runsc, and run the tests as root")
        say(f"Starting a Docker engine with {GVISOR}, and copying the image to it")
        for option in ("data-root", "exec-root", "pidfile"):
            arguments += [f"--{option}", str(folder / option)]
        address = f"unix://{folder / 'socket'}"
        arguments += ["--host", address, "--iptables=false", "--ip-forward=false"]
        beside = Engine(address)
        # In a network of its own: the bridge and the rules of this machine belong to the other engine.
        daemon = Daemon([unshare, "--net", dockerd, *arguments], beside, folder)
        daemon.start()
        try:
            ours, theirs = docker.from_env(timeout=600), docker.DockerClient(base_url=address, timeout=600)
            theirs.images.load(ours.images.get(image_build.TAG).save(named=image_build.TAG))
            theirs.close()
            ours.close()
            yield beside
        finally:
            beside.close()
            daemon.stop()


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The local engine."""
    return needed(local_engine)


@pytest.fixture(scope="session")
def image() -> image_build.Image:
    """The sandbox's image on it."""
    return needed(sandbox_image)


@pytest.fixture(scope="session")
def offering() -> Engine:
    """An engine that offers gVisor."""
    return needed(gvisor_engine)
