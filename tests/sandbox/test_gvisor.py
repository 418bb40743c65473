"""Sessions under gVisor: code of every language runs, keeps its state, and sees a kernel that is not this host's."""

import os
import shutil
from collections.abc import Iterator

import docker
import pytest
from docker_engine import missing
from own_dockerd import GVISOR, Daemon, program, with_gvisor

from sandbox.docker.engine import Engine
from sandbox.docker.image_build import TAG, Image
from sandbox.docker.local import Keeping, LocalSandbox
from sandbox.model import Limits

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def offering(engine: Engine, image: Image, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine that offers gVisor: the one of all tests, or one beside it with the same image."""
    if GVISOR in engine.info().runtimes:
        yield engine
        return
    if os.environ.get("CI") != "true":
        pytest.skip(f"the engine offers no {GVISOR}; in CI one is started beside it, which takes a minute")
    folder, dockerd, alone = tmp_path_factory.mktemp("gvisor"), program(), shutil.which("unshare")
    arguments = with_gvisor(folder)
    if not arguments or dockerd is None or alone is None:
        missing(f"an engine with {GVISOR}", "apt-get install docker.io runsc, and run the tests as root")
        return
    for name in ("data-root", "exec-root", "pidfile"):
        arguments += [f"--{name}", str(folder / name)]
    address = f"unix://{folder / 'socket'}"
    arguments += ["--host", address, "--iptables=false", "--ip-forward=false"]
    beside = Engine(address)
    # In a network of its own: the bridge and the rules of this machine belong to the other engine.
    daemon = Daemon(alone, beside, folder / "log", ["--net", dockerd, *arguments])
    if not daemon.start():
        missing(f"an engine with {GVISOR}", f"dockerd does not start: {daemon.said()}")
        return
    try:
        ours, theirs = docker.from_env(), docker.DockerClient(base_url=address, timeout=300)
        theirs.images.load(ours.images.get(TAG).save(named=TAG))
        theirs.close()
        ours.close()
        yield beside
    finally:
        beside.close()
        daemon.stop()
        shutil.rmtree(folder / "data-root", ignore_errors=True)


def test_code_sees_a_kernel_of_its_own_in_every_language(offering: Engine) -> None:
    owner = f"tests-gvisor-{os.getpid()}"
    sandbox = LocalSandbox(offering, owner=owner, runtime=GVISOR, keeping=Keeping(warm_most=0))
    try:
        assert sandbox.ready().runtime == GVISOR
        session = sandbox.open(Limits(seconds=60))
        seen = session.run("import platform\nx = 41\nprint(platform.release())").stdout.strip()
        assert seen
        assert seen != os.uname().release
        for language, code in (
            ("shell", "for i in 1 2 3; do echo 42 | cat | cat; done | sort -u"),
            ("node", "console.log(42)"),
            ("java", "System.out.println(42);"),
            ("python", "print(x + 1)"),
        ):
            run = session.run(code, language=language)
            assert (run.exit_code, run.stdout, run.state_lost) == (0, "42\n", False), run
        many = session.run(
            "import subprocess\nrunning = [subprocess.Popen(['sleep', '1']) for _ in range(30)]\n"
            "print(sum(each.wait() for each in running))"
        )
        assert (many.stdout, many.state_lost) == ("0\n", False), many
        session.close()
    finally:
        sandbox.close()
    assert offering.containers(owner) == []


def test_what_code_may_not_call_is_refused_inside_too(offering: Engine) -> None:
    sandbox = LocalSandbox(
        offering, owner=f"tests-gvisor-calls-{os.getpid()}", runtime=GVISOR, keeping=Keeping(warm_most=0)
    )
    try:
        session = sandbox.open(Limits(seconds=60))
        for call in ("ptrace(16, 1, 0, 0)", "unshare(0x10000000)"):
            assert session.run(f"import ctypes\nprint(ctypes.CDLL(None).{call})").stdout == "-1\n"
        assert "OSError" in session.run("import socket\nsocket.create_connection(('1.1.1.1', 53), timeout=2)").stderr
    finally:
        sandbox.close()
