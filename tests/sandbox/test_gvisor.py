"""Sessions under gVisor: code of every language runs, keeps its state, and sees a kernel that is not this host's."""

import os

import pytest
from docker_engine import GVISOR

from sandbox.docker.engine import Engine
from sandbox.docker.local import LocalSandbox, SessionPolicy
from sandbox.model import Limits

pytestmark = pytest.mark.service


def test_code_sees_a_kernel_of_its_own_in_every_language(offering: Engine) -> None:
    owner = f"tests-gvisor-{os.getpid()}"
    sandbox = LocalSandbox(offering, owner=owner, runtime=GVISOR, policy=SessionPolicy(warm_most=0))
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
        offering, owner=f"tests-gvisor-calls-{os.getpid()}", runtime=GVISOR, policy=SessionPolicy(warm_most=0)
    )
    try:
        session = sandbox.open(Limits(seconds=60))
        for call in ("ptrace(16, 1, 0, 0)", "unshare(0x10000000)"):
            assert session.run(f"import ctypes\nprint(ctypes.CDLL(None).{call})").stdout == "-1\n"
        assert "OSError" in session.run("import socket\nsocket.create_connection(('1.1.1.1', 53), timeout=2)").stderr
    finally:
        sandbox.close()
