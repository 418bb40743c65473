"""A Docker engine that the tests start themselves, where one is installed and none runs."""

import subprocess
import time
from pathlib import Path

from devops_chatbot.errors import SandboxUnavailable
from sandbox.engine import Engine


class Daemon:
    """An engine that these tests started, and so may stop."""

    running: "Daemon | None" = None

    def __init__(self, program: str, engine: Engine, log: Path) -> None:
        self._program = program
        self._engine = engine
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> bool:
        """Returns when it answers; false when it does not."""
        with self._log.open("ab") as written:
            self._process = subprocess.Popen(
                [self._program], stdout=written, stderr=subprocess.STDOUT, start_new_session=True
            )
        Daemon.running = self
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
        Daemon.running = None
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=60)
