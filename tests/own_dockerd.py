"""Docker engines that the tests start themselves, where one is installed and we may."""

import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from devops_chatbot.errors import SandboxUnavailable
from sandbox.docker.engine import Engine

GVISOR = "runsc"


class Daemon:
    """An engine that these tests started, and so may stop."""

    running: "Daemon | None" = None
    """The one that all tests use, when it is ours."""

    def __init__(self, program: str, engine: Engine, log: Path, arguments: Sequence[str] = ()) -> None:
        self._command = [program, *arguments]
        self._engine = engine
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> bool:
        """Returns when it answers; false when it does not."""
        with self._log.open("ab") as written:
            self._process = subprocess.Popen(
                self._command, stdout=written, stderr=subprocess.STDOUT, start_new_session=True
            )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                self._engine.ping()
            except SandboxUnavailable:
                time.sleep(0.2)
            else:
                return True
        return False

    def said(self) -> str:
        """The end of its log."""
        return self._log.read_text(errors="replace")[-500:]

    def stop(self) -> None:
        """Returns when it has ended, and its containers with it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=60)


def program() -> str | None:
    """The engine's program, where it is installed and we may start it."""
    found = shutil.which("dockerd") or shutil.which("dockerd", path="/usr/sbin:/sbin")
    return found if os.geteuid() == 0 else None


def with_gvisor(folder: Path) -> list[str]:
    """Arguments of an engine that offers gVisor as our documentation says, where it is installed."""
    runsc = shutil.which(GVISOR)
    if runsc is None:
        return []
    wrapper = folder / GVISOR
    wrapper.write_text(f'#!/bin/sh\nexec {runsc} --network=none --oci-seccomp "$@"\n')
    wrapper.chmod(0o755)
    return ["--add-runtime", f"{GVISOR}={wrapper}"]
