"""How long the sandbox takes, beside other ways to run the same line in the same image; and what many sessions leave."""

import gc
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.table import Cell, percentile
from sandbox.docker.engine import Engine
from sandbox.docker.image_build import Image
from sandbox.docker.local import LocalSandbox, SessionPolicy

OWNER = "benchmark"
LINE = "print(1)"
DOCKER = shutil.which("docker") or "docker"


def speed(engine: Engine, image: Image, repeat: int) -> list[dict[str, Cell]]:
    """Each way of running `print(1)`, and of getting a session."""
    warm = LocalSandbox(engine, owner=OWNER, policy=SessionPolicy(warm_least=2, warm_most=4))
    cold = LocalSandbox(engine, owner=f"{OWNER}-cold", policy=SessionPolicy(warm_most=0))
    rows: list[dict[str, Cell]] = []

    def row(name: str, goal: str, measure: Callable[[], float], times: int) -> None:
        measured = [measure() * 1000 for _ in range(times)]
        half, most = percentile(measured, 0.5), percentile(measured, 0.99)
        rows.append({"what": name, "n": times, "p50 ms": half, "p99 ms": most, "goal p50": goal})

    session = warm.open()
    session.run(LINE)
    row("ours: warm run of print(1)", "≤ 5 ms", lambda: _timed(lambda: session.run(LINE)), repeat * 20)
    row(
        "ours: warm run, shell echo 1", "", lambda: _timed(lambda: session.run("echo 1", language="shell")), repeat * 20
    )
    session.close()
    row("ours: session from the pool", "≤ 50 ms", lambda: _from_pool(warm), repeat)
    row("ours: cold session", "≤ 300 ms", lambda: _opened(cold), repeat)
    row("ours: cold session and print(1)", "", lambda: _opened(cold, LINE), repeat)
    run = [DOCKER, "run", "--rm", "--network", "none", "--entrypoint", "python3", image.digest, "-c", LINE]
    row("docker run --rm (not hardened)", "", lambda: _command(run), max(5, repeat // 3))
    container = subprocess.run(
        [DOCKER, "run", "-d", "--rm", "--entrypoint", "sleep", image.digest, "600"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    try:
        inside = [DOCKER, "exec", container, "python3", "-c", LINE]
        row("docker exec in a running container", "", lambda: _command(inside), repeat)
    finally:
        engine.remove(container)
    _other_library(rows, image, row, repeat)
    warm.close()
    cold.close()
    return rows


def crowd(engine: Engine, at_once: int = 20) -> list[dict[str, Cell]]:
    """Sessions opened, used and closed at the same time."""
    sandbox = LocalSandbox(engine, owner=OWNER, policy=SessionPolicy(warm_most=0, per_caller=at_once))
    barrier = threading.Barrier(at_once)

    def one(number: int) -> bool:
        session = sandbox.open()
        try:
            barrier.wait(timeout=120)
            return session.run(f"import json\nprint(json.dumps({number}))").stdout == f"{number}\n"
        finally:
            session.close()

    begun = time.perf_counter()
    with ThreadPoolExecutor(at_once) as threads:
        right = sum(threads.map(one, range(at_once)))
    seconds = time.perf_counter() - begun
    sandbox.close()
    left = len(engine.containers(OWNER))
    return [{"sessions at once": at_once, "right": right, "failed": at_once - right, "seconds": seconds, "left": left}]


def churn(engine: Engine, sessions: int) -> list[dict[str, Cell]]:
    """Sessions one after the other; what is left, and how the memory of this process went."""
    sandbox = LocalSandbox(engine, owner=OWNER, policy=SessionPolicy(warm_most=2))
    rows: list[dict[str, Cell]] = []
    begun = time.perf_counter()
    for done in range(sessions + 1):
        if done in (0, sessions // 10, sessions // 2, sessions):
            gc.collect()
            rows.append(
                {
                    "sessions": done,
                    "seconds": time.perf_counter() - begun,
                    "memory MB": _memory_mb(),
                    "descriptors": sum(1 for _ in Path("/proc/self/fd").iterdir()),
                    "threads": threading.active_count(),
                    "containers": len(engine.containers(OWNER)),
                }
            )
        if done < sessions:
            session = sandbox.open()
            session.run(LINE)
            session.close()
    sandbox.close()
    rows.append(
        {
            "sessions": sessions,
            "seconds": time.perf_counter() - begun,
            "memory MB": _memory_mb(),
            "descriptors": sum(1 for _ in Path("/proc/self/fd").iterdir()),
            "threads": threading.active_count(),
            "containers": len(engine.containers(OWNER)),
        }
    )
    return rows


def _other_library(
    rows: list[dict[str, Cell]], image: Image, row: Callable[[str, str, Callable[[], float], int], None], repeat: int
) -> None:
    """llm-sandbox on the same image. It is a development dependency; without it the table says so."""
    try:
        from llm_sandbox import SandboxSession
    except ImportError:
        rows.append({"what": "llm-sandbox (not installed)", "n": 0, "p50 ms": None, "p99 ms": None, "goal p50": ""})
        return
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    options = {"lang": "python", "image": image.digest, "keep_template": True, "skip_environment_setup": True}
    # It writes below / and as the super-user.
    options["runtime_configs"] = {"user": "0:0", "entrypoint": ["/bin/sh", "-c", "sleep 600"], "network_mode": "none"}

    def opened() -> float:
        begun = time.perf_counter()
        with SandboxSession(**options) as session:
            session.run(LINE)
            return time.perf_counter() - begun

    row("llm-sandbox: session and print(1)", "", opened, max(5, repeat // 6))
    with SandboxSession(**options) as session:
        session.run(LINE)
        row("llm-sandbox: run of print(1) in an open session", "", lambda: _timed(lambda: session.run(LINE)), repeat)


def _from_pool(sandbox: LocalSandbox) -> float:
    deadline = time.monotonic() + 20
    while sandbox.ready().warm < 1 and time.monotonic() < deadline:
        time.sleep(0.05)
    return _opened(sandbox)


def _opened(sandbox: LocalSandbox, code: str | None = None) -> float:
    begun = time.perf_counter()
    session = sandbox.open()
    if code is not None:
        assert session.run(code).stdout == "1\n"
    seconds = time.perf_counter() - begun
    session.close()
    return seconds


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _command(command: list[str]) -> float:
    begun = time.perf_counter()
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "1\n"
    return time.perf_counter() - begun


def _memory_mb() -> float:
    with Path("/proc/self/statm").open(encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)
