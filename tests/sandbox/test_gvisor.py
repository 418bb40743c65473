"""A session under gVisor, where the engine offers it: code runs, and sees a kernel that is not this host's."""

import os

import pytest

from sandbox.engine import Engine
from sandbox.image_build import Image
from sandbox.local import Keeping, LocalSandbox

pytestmark = pytest.mark.service
RUNTIME = "runsc"


def test_code_sees_a_kernel_of_its_own(engine: Engine, image: Image) -> None:
    if RUNTIME not in engine.info().runtimes:
        pytest.skip(f"the engine offers no {RUNTIME}")
    owner = f"tests-gvisor-{os.getpid()}"
    sandbox = LocalSandbox(engine, owner=owner, runtime=RUNTIME, keeping=Keeping(warm_most=0))
    try:
        assert sandbox.ready().runtime == RUNTIME
        session = sandbox.open()
        seen = session.run("import platform\nprint(platform.release())").stdout.strip()
        assert seen
        assert seen != os.uname().release
        session.close()
    finally:
        sandbox.close()
    assert engine.containers(owner) == []
