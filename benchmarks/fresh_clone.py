"""From nothing to the first cited answer: clone, `make serve` with empty caches, build the sample, ask.

Prints the seconds of each stage and the megabytes downloaded and installed. The reference is the time that the download
alone takes on a home connection of 50 Mbit/s, because the machine that measures may sit next to the registry.
"""

import argparse
import os
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import httpx

from benchmarks.table import report

ROOT = Path(__file__).parents[1]
HOME_MBIT = 50
DEADLINE_S = 900
QUESTION = "A pod is in CrashLoopBackOff. What should I check?"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="ignored: this benchmark brings its own documents")
    parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fresh-clone-") as folder:
        rows = measure(Path(folder))
    report("fresh_clone", "Fresh clone to first cited answer", rows, command="python -m benchmarks.fresh_clone")


def measure(folder: Path) -> list[dict[str, str | float]]:
    """Run the whole way below `folder`, which is empty and stays the caller's to remove."""
    clone, port, ui_port = folder / "clone", _free_port(), _free_port()
    received = _bytes_received()
    begun = time.perf_counter()
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("CHATBOT_", "VIRTUAL_ENV"))
    }
    environment |= {
        "UV_CACHE_DIR": str(folder / "cache"),
        "CHATBOT_DATA_DIR": str(folder / "data"),
        "CHATBOT_SERVER__PORT": str(port),
        "CHATBOT_SERVER__UI_PORT": str(ui_port),
    }
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            ["make", "serve"], cwd=clone, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
                _wait_until_ready(client, server, folder / "log")
                ready = time.perf_counter()
                downloaded = (_bytes_received() - received) / 1e6
                _build_sample(client)
                built = time.perf_counter()
                citations = _ask(client)
                answered = time.perf_counter()
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(30)
    if not citations:
        raise SystemExit("the answer has no citation")
    home = downloaded * 8 / HOME_MBIT
    return [
        {"stage": "clone, install, start (empty caches)", "value": ready - begun, "unit": "s"},
        {"stage": "build the sample knowledge base", "value": built - ready, "unit": "s"},
        {"stage": "first question, to its whole cited answer", "value": answered - built, "unit": "s"},
        {"stage": "together", "value": answered - begun, "unit": "s"},
        {"stage": "downloaded", "value": downloaded, "unit": "MB"},
        {"stage": "installed (.venv)", "value": _size(clone / ".venv") / 1e6, "unit": "MB"},
        {"stage": f"reference: the download alone at {HOME_MBIT} Mbit/s", "value": home, "unit": "s"},
        {"stage": "together over such a line (nothing overlapping)", "value": answered - begun + home, "unit": "s"},
    ]


def _wait_until_ready(client: httpx.Client, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise SystemExit(f"make serve ended with {server.returncode}:\n{log.read_text(errors='replace')[-2000:]}")
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise SystemExit("make serve did not become ready")


def _build_sample(client: httpx.Client) -> None:
    started = client.post("/api/v1/samples").raise_for_status().json()
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        run = client.get(f"/api/v1/runs/{started['run_id']}").raise_for_status().json()
        if run["state"] == "done":
            return
        if run["state"] in ("failed", "cancelled"):
            raise SystemExit(f"the sample was not built: {run}")
        time.sleep(0.1)
    raise SystemExit("the sample was not built in time")


def _ask(client: httpx.Client) -> int:
    """The number of citations in the answer."""
    thread = client.post("/api/v1/threads", json={}).raise_for_status().json()["id"]
    with client.stream("POST", f"/api/v1/threads/{thread}/messages", json={"text": QUESTION}) as stream:
        lines = list(stream.iter_lines())
    ends = [
        line for line, following in zip(lines, [*lines[1:], ""], strict=True) if line == "event: answer" and following
    ]
    return (
        sum(line.count('"number"') for line in lines if line.startswith("data:") and '"citations"' in line)
        if ends
        else 0
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _bytes_received() -> int:
    """Bytes that this machine's interfaces, loopback aside, have received (`/proc/net/dev`)."""
    rows = Path("/proc/net/dev").read_text().splitlines()[2:]
    return sum(int(row.split(":")[1].split()[0]) for row in rows if row.split(":")[0].strip() != "lo")


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


if __name__ == "__main__":
    main()
