"""An alert is investigated in a real browser, on real servers: what agents do is seen, a silence waits for a person, is set."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from monitoring import Monitoring
from patience import wait_until
from scripted_model import Reply, ScriptedModel
from served_pages import Product, product

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.service

RUNBOOK = b"# NodeLoadHigh\n\n## Diagnosis\n\nCompare node_load1 with the number of processors.\n"


def script() -> list[Reply]:
    """Of one investigation."""
    silence = {
        "matchers": [{"name": "alertname", "value": "NodeLoadHigh"}],
        "duration": "2h",
        "comment": "Known load test",
    }
    return [
        Reply(calls=(("alertmanager_alerts", {}), ("prometheus_rules", {"name": "NodeLoad"}))),
        Reply(calls=(("prometheus_range", {"query": "node_load1", "start": "-10m"}),)),
        Reply(calls=(("calculate", {"expression": "2 * 0.7"}),)),
        Reply(calls=(("alertmanager_create_silence", silence),)),
        Reply(text="The rule fires whenever there is any load; the silence is set."),
        Reply(text="NodeLoadHigh fires because its rule is true at any load [2]. The silence was set [6]."),
    ]


@pytest.fixture
def investigated(tmp_path: Path, embedding_cache: Path, monitoring: Monitoring) -> Iterator[Product]:
    """The product connected to Prometheus and Alertmanager, with a runbook."""
    tools = {"prometheus": {"url": monitoring.prometheus}, "alertmanager": {"url": monitoring.alertmanager}}
    with (
        ScriptedModel(script()) as model,
        product(tmp_path, embedding_cache, model=model, tools=json.dumps(tools)) as running,
    ):
        base = running.client.create_knowledge_base("Runbooks")
        list(running.client.run_events(running.client.upload(base.id, [("NodeLoadHigh.md", RUNBOOK)]).id))
        yield running


def test_an_alert_is_investigated_and_silenced_once_a_person_agrees(
    investigated: Product, monitoring: Monitoring, page: "Page", tmp_path: Path
) -> None:
    page.goto(investigated.ui)
    page.get_by_role("button", name="Options").click()
    page.get_by_label("Route").click()
    page.get_by_role("option", name="Alert investigation").click()
    page.get_by_role("button", name="Options •").click()
    page.locator('[data-test-script-state="notRunning"]').wait_for(state="attached")
    question = page.get_by_test_id("stChatInputTextArea")
    question.fill("Why is the alert NodeLoadHigh firing? Silence it when it is harmless.")
    question.press("Enter")
    card = page.locator('[class*="st-key-approval_"]')
    card.get_by_text("An agent wants to call alertmanager_create_silence").wait_for()
    page.screenshot(path=str(tmp_path / "waiting.png"), full_page=True)
    assert "Known load test" in card.inner_text()
    assert "from a live system" in card.inner_text()
    assert not [each for each in monitoring.silences() if each["comment"].startswith("Known load test")]
    page.get_by_role("link", name="Approvals").get_by_text("1").wait_for()
    card.get_by_role("button", name="Approve", exact=True).click()
    page.get_by_role("button", name="Answer again").wait_for()
    answer = page.locator('[class*="st-key-answer_"]').last
    answer.get_by_text("NodeLoadHigh fires because its rule is true at any load").wait_for()
    made = [each for each in monitoring.silences() if each["comment"].startswith("Known load test")]
    assert len(made) == 1
    page.screenshot(path=str(tmp_path / "answered.png"), full_page=True)

    answer.get_by_text("5 tool calls").click()
    page.get_by_text("is set until").first.wait_for()
    answer.locator('a[href^="#cite-"]').first.click()
    panel = page.locator(".st-key-passage_panel")
    panel.get_by_text("NodeLoadHigh").first.wait_for()
    page.screenshot(path=str(tmp_path / "evidence.png"), full_page=True)

    page.get_by_role("link", name="Approvals").click()
    page.get_by_text("Nothing waits for you.").wait_for()
    page.locator(".cb-table").get_by_text("alertmanager_create_silence").wait_for()
    page.screenshot(path=str(tmp_path / "inbox.png"), full_page=True)
    page.get_by_role("link", name="Tools", exact=True).click()
    page.get_by_text("prometheus_query").first.click()
    page.get_by_label("Arguments (JSON)").first.fill('{"query": "up"}')
    page.get_by_label("Arguments (JSON)").first.press("Tab")
    page.get_by_role("button", name="Try it").first.click()
    wait_until(lambda: "up{" in page.locator(".st-key-toolset_prometheus").inner_text())
    page.screenshot(path=str(tmp_path / "tools.png"), full_page=True)
