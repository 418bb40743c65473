"""The whole product as a person starts it: `serve` as a process, with a scripted model behind it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from patience import PATIENCE_S, wait_until
from scripted_model import Reply, ScriptedModel

from devops_chatbot.client.client import Client
from devops_chatbot.config.data_directory import running_server
from knowledge.model import KnowledgeBase

ANSWER = (
    "The disk of etcd is slow [1].\n\nRun `etcdctl check perf` and compare:\n\n```sh\netcdctl check perf --load=s\n```\n\n"
    "Costs $5 or $6, and :red[nothing] else."
)
LONG = "word " * 4000
RUNBOOK = """# EtcdSlowDisk

## Meaning

The disk below etcd answers slowly, so that every write waits for fsync.

## Diagnosis

Run `etcdctl check perf` on the leader.

## Mitigation

1. Move etcd to a solid state disk.
2. Give it a disk of its own.
"""


def reply(body: dict[str, Any]) -> Reply:
    asked = str(body["messages"][-1]["content"])
    if "slowly" in asked.rsplit("\n", 1)[-1] or "speak slowly" in asked:
        return Reply(text=LONG, piece=5, pause_s=0.05)
    if "break off" in asked:
        return Reply(text=ANSWER, piece=30, breaks_after=2)
    if "think first" in asked:
        return Reply(text=f"<think>\nThe user wants to know [2].\n</think>\n\n{ANSWER}", piece=6, pause_s=0.01)
    if "cite nothing" in asked:
        return Reply(text="Give it a disk of its own.")
    if "but an error" in asked:
        return Reply(status=500)
    return Reply(text=ANSWER, piece=6, pause_s=0.01)


@dataclass(frozen=True)
class Product:
    """A running product: where its pages are, its API, and the model it speaks to."""

    ui: str
    client: Client
    model: ScriptedModel


@contextmanager
def product(folder: Path, embedding_cache: Path, *, model: ScriptedModel | None, **settings: str) -> Iterator[Product]:
    """`settings` are those of the environment, such as `sandbox__engine`."""
    data = folder / "data"
    data.mkdir()
    (data / "embeddings").symlink_to(embedding_cache)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CHATBOT_")}
    environment |= {
        "CHATBOT_DATA_DIR": str(data),
        "CHATBOT_SERVER__PORT": "0",
        "CHATBOT_SERVER__UI_PORT": "0",
        "CHATBOT_CONFIG": str(folder / "chatbot.toml"),
    }
    environment |= {f"CHATBOT_{name.upper()}": value for name, value in settings.items()}
    lines = [""]
    if model:
        lines = [
            '[models.scripted]\nprovider = "openai-compatible"\nmodel = "scripted"',
            f'base_url = "{model.base_url}"',
        ]
        lines += [f"timeout_s = {PATIENCE_S}", '[roles]\nanswer = ["scripted"]']
    (folder / "chatbot.toml").write_text("\n".join(lines))
    log = (folder / "serve.log").open("w+")
    process = subprocess.Popen(
        [sys.executable, "-m", "devops_chatbot.cli", "serve"], env=environment, stdout=log, stderr=subprocess.STDOUT
    )
    try:
        wait_until(lambda: "Ready" in (folder / "serve.log").read_text() or process.poll() is not None)
        assert process.poll() is None, (folder / "serve.log").read_text()
        address = running_server(data)
        assert address is not None
        assert address.ui is not None
        with Client(address.api) as client:
            yield Product(ui=address.ui, client=client, model=model or ScriptedModel())
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


def fill(client: Client, name: str) -> KnowledgeBase:
    """A knowledge base with one runbook."""
    base = client.create_knowledge_base(name)
    job = client.upload(base.id, [("EtcdSlowDisk.md", RUNBOOK.encode())])
    ended = list(client.run_events(job.id))[-1]
    assert ended.state == "done", ended
    return client.knowledge_base(base.id)
