"""One run of user code: its deadline, its output so far, and how it ended."""

import os
import time
from dataclasses import dataclass, field
from typing import Any

START_SECONDS = 30.0
INTERRUPT_GRACE = 2.0
DEADLINE_GRACE = 1.0


@dataclass
class Run:
    """What the host asked for, and what became of it."""

    id: int
    language: str
    seconds: float
    output_left: int
    artifact_left: int
    code: bytes
    nonce: str = field(default_factory=lambda: os.urandom(16).hex())
    started: float = field(default_factory=time.monotonic)
    sent: bool = False
    kill_at: "float | None" = None
    again_at: "float | None" = None
    """When an interrupt is sent once more: a shell loses one that comes while it starts a program."""
    timed_out: bool = False
    interrupted: bool = False
    truncated: bool = False
    artifacts: int = 0
    oom_before: int = 0

    @property
    def due(self) -> float:
        """When something has to be done about it, on the monotonic clock."""
        if self.kill_at is not None:
            return self.kill_at if self.again_at is None else self.again_at
        return self.started + (self.seconds if self.sent else START_SECONDS)

    def take(self, piece: bytes) -> bytes:
        """As much of some output as the run may still send."""
        if len(piece) > self.output_left:
            self.truncated = True
            piece = piece[: self.output_left]
        self.output_left -= len(piece)
        return piece

    def result(self, exit_code: int, *, state_lost: bool, why: str, files: "list[dict[str, Any]]") -> "dict[str, Any]":
        """What the host is told at the end."""
        return {
            "exit_code": exit_code,
            "seconds": time.monotonic() - self.started,
            "timed_out": self.timed_out,
            "interrupted": self.interrupted,
            "truncated": self.truncated,
            "state_lost": state_lost,
            "why": why,
            "files": files,
        }


def out_of_memory_kills() -> int:
    """How often the kernel killed something in this container for its memory (cgroup v1 or v2)."""
    for path in ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"):
        try:
            with open(path, encoding="ascii") as file:
                for line in file:
                    if line.startswith("oom_kill "):
                        return int(line.split()[1])
        except OSError:
            continue
    return 0
