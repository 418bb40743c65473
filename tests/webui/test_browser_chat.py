"""Small things of the chat that people tripped over, in a real browser against the running product."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
    from served_pages import Product

pytestmark = pytest.mark.service


def ask(page: "Page", text: str) -> None:
    page.get_by_test_id("stChatInputTextArea").fill(text)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Answer again").wait_for()


def test_on_a_phone_the_drawer_closes_when_a_conversation_is_chosen(spoken: "Product", browser: "Browser") -> None:
    thread = spoken.client.create_thread("Chosen on a phone").id
    phone = browser.new_context(locale="en-GB", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = phone.new_page()
    page.goto(spoken.ui)
    opener = page.get_by_test_id("stExpandSidebarButton")  # is there while the drawer is closed
    for chosen in (f'[class*="st-key-thread_row_{thread}"] a', ".st-key-new_thread button"):
        opener.click()
        opener.wait_for(state="hidden")
        page.locator(chosen).first.click()
        opener.wait_for()
    phone.close()


def test_the_chosen_knowledge_bases_stay_with_the_conversation(spoken: "Product", page: "Page") -> None:
    base = spoken.client.create_knowledge_base("Chosen one")
    run = spoken.client.upload(base.id, [("a.md", b"# PumpStalled\n\nRestart the pump.\n")])
    assert list(spoken.client.run_events(run.id))[-1].state == "done"
    page.goto(f"{spoken.ui}/knowledge?kb={base.id}")
    page.get_by_role("button", name="Ask it").click()
    chosen = page.locator(".st-key-pick_knowledge")
    chosen.get_by_text("Chosen one").wait_for()
    page.get_by_role("button", name="What does PumpStalled mean and how do I fix it?").wait_for()
    ask(page, "What does PumpStalled mean?")
    chosen.get_by_text("Chosen one").wait_for()
    address = page.url
    page.get_by_role("button", name="New conversation").click()
    chosen.get_by_text("All knowledge").wait_for()
    page.goto(address)
    chosen.get_by_text("Chosen one").wait_for()


def test_a_pasted_log_is_folded_and_its_answer_in_view(spoken: "Product", page: "Page") -> None:
    log = "\n".join(f"2026-11-20T10:{at // 60:02}:{at % 60:02}Z INFO request {at} ok" for at in range(250))
    page.goto(spoken.ui)
    ask(page, f"What is wrong here?\n{log}\n2026-11-20T10:09:00Z ERROR EtcdSlowDisk fsync took 2s")
    page.get_by_text("All 252 lines").wait_for()
    again = page.get_by_role("button", name="Answer again").bounding_box()
    assert again is not None
    assert 0 < again["y"] < 860
    thread = spoken.client.threads(limit=1).items[0].id
    answer = spoken.client.thread(thread).messages[-1]
    assert [citation.title for citation in answer.citations] == ["EtcdSlowDisk"]
