"""From `serve` to ready, and the memory of API and web pages: idle, and after the first question.

The reference is the least that such a product could be: an empty FastAPI app under uvicorn and an empty Streamlit page,
started side by side in the same minute.
"""

import argparse
import contextlib
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.table import Cell, report
from devops_chatbot.chat import Answer
from devops_chatbot.client.client import Client
from devops_chatbot.schemas.threads import NewMessage

RUNS = 5
DEADLINE_S = 300
SETTLE_S = 3
QUESTION = "A pod is in CrashLoopBackOff. What should I check?"
BARE_API = "from fastapi import FastAPI\napp = FastAPI()\n@app.get('/healthz')\ndef healthz(): return {}\n"
BARE_PAGE = "import streamlit as st\nst.title('hello')\n"
COMMAND = (sys.executable, "-m", "devops_chatbot.cli")
IMPORTS = (
    ("the command line", "devops_chatbot.cli.commands"),
    ("the web pages' way to the API", "devops_chatbot.client.client"),
    ("the whole API", "devops_chatbot.api.app"),
    ("reference: fastapi alone", "fastapi"),
    ("reference: streamlit alone", "streamlit"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One start: seconds until both answer, and megabytes (proportional set size of all its processes)."""

    ready_s: float
    idle_mb: float
    page_s: float | None = None
    asked_mb: float | None = None
    first_answer_s: float | None = None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="ignored: this benchmark brings its own documents")
    parser.add_argument("--runs", type=int, default=RUNS)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory(prefix="startup-") as folder:
        ours = [_ours(Path(folder) / f"ours{number}", ask=number == 0) for number in range(runs)]
        bare = [_bare(Path(folder) / f"bare{number}") for number in range(runs)]
    rows: list[dict[str, Cell]] = [
        _row("start to ready, s", [one.ready_s for one in ours], [one.ready_s for one in bare], "< 3"),
        _row(
            "idle memory of API + web pages, MB", [one.idle_mb for one in ours], [one.idle_mb for one in bare], "< 300"
        ),
        _row(
            "first page in a browser after ready, s",
            [one.page_s for one in ours if one.page_s],
            [one.page_s for one in bare if one.page_s],
            "< 2",
        ),
        _row("memory after the first question, MB", [one.asked_mb for one in ours if one.asked_mb], [], "< 700"),
        _row("first question on a cold model, s", [one.first_answer_s for one in ours if one.first_answer_s], [], ""),
    ]
    command = "python -m benchmarks.startup"
    report("startup", f"From serve to ready (median of {runs})", rows, command=command)
    imports: list[dict[str, Cell]] = [{"import": what, "module": name, **_import_cost(name)} for what, name in IMPORTS]
    report("imports", "What an import costs", imports, command=command)


def _row(what: str, ours: Sequence[float], bare: Sequence[float], goal: str) -> dict[str, Cell]:
    return {
        "what": what,
        "ours": statistics.median(ours) if ours else None,
        "empty FastAPI + Streamlit": statistics.median(bare) if bare else None,
        "goal": goal,
    }


def _ours(folder: Path, *, ask: bool) -> Measured:
    port, ui_port = free_port(), free_port()
    environment = _environment() | {
        "CHATBOT_DATA_DIR": str(folder),
        "CHATBOT_SERVER__PORT": str(port),
        "CHATBOT_SERVER__UI_PORT": str(ui_port),
    }
    url = f"http://127.0.0.1:{port}"
    command = [*COMMAND, "serve"]
    begun = time.perf_counter()
    with _processes([command], environment) as processes:
        wait_for(f"{url}/readyz", f"http://127.0.0.1:{ui_port}/_stcore/health")
        ready = time.perf_counter() - begun
        time.sleep(SETTLE_S)
        idle = _megabytes(processes)
        page = _first_page(f"http://127.0.0.1:{ui_port}")
        if not ask:
            return Measured(ready_s=ready, idle_mb=idle, page_s=page)
        with Client(url) as client:
            list(client.run_events(client.build_samples().id))
        # A restart, because taking documents in is not what a first question costs.
    begun = time.perf_counter()
    with _processes([command], environment) as processes, Client(url) as client:
        wait_for(f"{url}/readyz", f"http://127.0.0.1:{ui_port}/_stcore/health")
        begun = time.perf_counter()
        events = list(client.ask(client.create_thread().id, NewMessage(text=QUESTION)))
        answered = time.perf_counter() - begun
        if not isinstance(events[-1], Answer) or not events[-1].citations:
            raise SystemExit(f"no cited answer: {events[-1]}")
        return Measured(
            ready_s=ready, idle_mb=idle, page_s=page, asked_mb=_megabytes(processes), first_answer_s=answered
        )


def _bare(folder: Path) -> Measured:
    folder.mkdir()
    (folder / "bare.py").write_text(BARE_API)
    (folder / "page.py").write_text(BARE_PAGE)
    port, ui_port = free_port(), free_port()
    page = [sys.executable, "-m", "streamlit", "run", str(folder / "page.py"), "--server.headless=true"]
    page += [f"--server.port={ui_port}", "--browser.gatherUsageStats=false", "--server.fileWatcherType=none"]
    api = [sys.executable, "-m", "uvicorn", "bare:app", "--app-dir", str(folder), "--port", str(port)]
    begun = time.perf_counter()
    with _processes([api, page], _environment()) as processes:
        wait_for(f"http://127.0.0.1:{port}/healthz", f"http://127.0.0.1:{ui_port}/_stcore/health")
        ready = time.perf_counter() - begun
        time.sleep(SETTLE_S)
        idle = _megabytes(processes)
        return Measured(ready_s=ready, idle_mb=idle, page_s=_first_page(f"http://127.0.0.1:{ui_port}"))


def _first_page(url: str) -> float:
    """Seconds from the address to the first heading in a browser that runs already."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        begun = time.perf_counter()
        page.goto(url, wait_until="commit")
        page.get_by_role("heading").first.wait_for(timeout=1000 * DEADLINE_S)
        seconds = time.perf_counter() - begun
        browser.close()
        return seconds


@contextlib.contextmanager
def _processes(commands: Sequence[Sequence[str]], environment: dict[str, str]) -> Iterator[list[int]]:
    started = [
        subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for command in commands
    ]
    try:
        yield [process.pid for process in started]
    finally:
        for process in started:
            process.send_signal(signal.SIGTERM)
        for process in started:
            process.wait(DEADLINE_S)


def wait_for(*addresses: str) -> None:
    """Return once all addresses answer well. Raises SystemExit when one does not within a minute."""
    deadline = time.monotonic() + DEADLINE_S
    with httpx.Client(trust_env=False) as client:
        for address in addresses:
            while True:
                with contextlib.suppress(httpx.TransportError):
                    if client.get(address).is_success:
                        break
                if time.monotonic() > deadline:
                    raise SystemExit(f"{address} did not answer")
                time.sleep(0.02)


def _megabytes(processes: Sequence[int]) -> float:
    """Proportional set size of the processes and of all their descendants (Linux)."""
    family = [member for process in processes for member in _family(process)]
    rollups = (Path(f"/proc/{process}/smaps_rollup").read_text() for process in family)
    kilobytes = (line.split()[1] for rollup in rollups for line in rollup.splitlines() if line.startswith("Pss:"))
    return sum(int(number) for number in kilobytes) * 1024 / 1e6


def _family(process: int) -> Iterator[int]:
    yield process
    for task in Path(f"/proc/{process}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from _family(int(child))


def _import_cost(module: str) -> dict[str, float]:
    code = (
        "import time\n"
        "def resident():\n"
        "    lines = open('/proc/self/status').read().splitlines()\n"
        "    return int(next(line for line in lines if line.startswith('VmRSS')).split()[1]) * 1024 / 1e6\n"
        f"before, begun = resident(), time.perf_counter()\nimport {module}\n"
        "print(time.perf_counter() - begun, resident() - before)"
    )
    outputs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
        for _ in range(3)
    ]
    return {
        "seconds": statistics.median(float(seconds) for seconds, _ in outputs),
        "megabytes": statistics.median(float(megabytes) for _, megabytes in outputs),
    }


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("CHATBOT_")}


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
