"""A scenario is one file: it is routed to, asked, listed; one that cannot be used is named and the product starts."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from whole_product import running

from agents.scenarios import SCENARIOS
from devops_chatbot.api.app import create_app
from devops_chatbot.bootstrap import build
from devops_chatbot.chat import Answer, Failure, Route
from devops_chatbot.client.client import Client
from devops_chatbot.config.data_directory import open_data_directory
from devops_chatbot.config.settings import load
from devops_chatbot.schemas.threads import NewMessage

SHIPPED = {path.stem: path.read_text("utf-8") for path in SCENARIOS.glob("*.yaml")}
HANDOVER = """\
name: handover
title: {en: Handover, zh: 交接}
purpose: {en: Says what the next shift should know.}
needs: [sources]
agents: [docs]
grounded: true
signals: {make: 0.9}
examples: [Write the handover note of this shift, "What should the next shift know?"]
prompt: {en: "Write a handover note from the passages between {mark}."}
"""


@pytest.fixture
def started(tmp_path: Path, embedding_cache: Path) -> Callable[..., object]:
    """`with started({"handover.yaml": …}) as client:` a product with these files in its folder of scenarios."""

    @contextmanager
    def start(files: dict[str, str]) -> Iterator[Client]:
        folder = tmp_path / "data" / "scenarios"
        folder.mkdir(parents=True)
        for name, text in files.items():
            (folder / name).write_text(text)
        (tmp_path / "data" / "embeddings").symlink_to(embedding_cache)
        data = open_data_directory(load().data_dir)
        with running(create_app(build(load(), data))) as url, Client(url) as client:
            yield client
        data.close()

    return start


def test_a_third_scenario_is_one_file(started: Callable[..., Iterator[Client]]) -> None:
    with started({"handover.yaml": HANDOVER}) as client:  # type: ignore[attr-defined]
        states = {one.name: one for one in client.scenarios()}
        assert states["handover"].state == "disabled"
        assert states["handover"].title["zh"] == "交接"
        client.create_knowledge_base("Shifts")
        files = [("shift.md", b"# Night shift\n\nThe disk of db-7 was replaced. Watch its rebuild until noon.\n")]
        assert list(client.run_events(client.upload("Shifts", files).id))[-1].state == "done"
        assert {one.state for one in client.scenarios() if one.name == "handover"} == {"ready"}

        events = list(client.ask(client.create_thread().id, NewMessage(text="Write a note about the disk")))
        route, answer = events[0], events[-1]
        assert isinstance(route, Route)
        assert (route.scenario, route.confidence) == ("handover", 0.9)
        assert {choice.scenario for choice in route.alternatives} == {
            name for name, text in SHIPPED.items() if "examples:" in text
        }
        assert isinstance(answer, Answer)

        named = list(client.ask(client.create_thread().id, NewMessage(text="db-7", route="handover")))
        assert named[0].scenario == "handover"
        assert "replaced" in named[-1].text


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (HANDOVER.replace("agents: [docs]", "agents: [docs, oracle]"), 5, "oracle"),
        (HANDOVER.replace("make: 0.9", "make: 90"), 7, "less than or equal to 1"),
        (HANDOVER.replace("grounded: true", "grounds: true"), 6, "grounds"),
        (HANDOVER.replace("needs: [sources]", "needs: [money]"), 4, "sources"),
        (HANDOVER.replace("prompt: {en:", "prompt: {fr:"), 9, "`en`"),
        ("name: [", 0, "YAML"),
        ("- a list", 0, "keys"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_and_left_out(
    started: Callable[..., Iterator[Client]], text: str, line: int, said: str
) -> None:
    with started({"broken.yaml": text, "handover.yaml": HANDOVER}) as client:  # type: ignore[attr-defined]
        states = {one.name: one for one in client.scenarios()}
        assert set(states) == SHIPPED.keys() | {"handover", "broken"}
        broken = states["broken"]
        assert broken.state == "failed"
        assert "broken.yaml" in str(broken.why)
        assert said in str(broken.why)
        assert not line or f"line {line}:" in str(broken.why)
        thread = client.create_thread().id
        assert not isinstance(list(client.ask(thread, NewMessage(text="hello")))[-1], Failure)
