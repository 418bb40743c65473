"""The pages in a real browser, against the running product."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from patience import PATIENCE_S, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page
    from served_pages import Product

pytestmark = pytest.mark.service

CITATION = 'a[href^="#cite-"]'


def ask(page: "Page", text: str) -> None:
    page.get_by_test_id("stChatInputTextArea").fill(text)
    page.keyboard.press("Enter")


def answered(page: "Page") -> "Locator":
    """The newest answer, once it is whole."""
    page.get_by_role("button", name="Answer again").wait_for()
    return page.locator('[class*="st-key-answer_"]').last


def test_first_start_builds_the_sample_and_answers_one_of_its_questions(fresh: "Product", page: "Page") -> None:
    page.goto(fresh.ui)
    page.get_by_role("heading", name="Ask your own runbooks").wait_for()
    page.get_by_role("button", name="Build the sample knowledge base").click()
    page.get_by_text("Questions to try").wait_for()
    questions = page.locator(".st-key-try_questions button")
    assert questions.count() == 3
    questions.filter(has_text="CrashLoopBackOff").click()
    answer = answered(page)
    assert "Extract" in answer.inner_text()
    answer.locator(CITATION).first.click()
    panel = page.locator(".st-key-passage_panel")
    panel.locator(".hit").first.wait_for()
    assert "CrashLoop" in panel.inner_text()


def test_a_question_streams_and_its_inline_citation_opens_the_passage_highlighted(
    spoken: "Product", page: "Page"
) -> None:
    page.goto(spoken.ui)
    ask(page, "Why is etcd slow?")
    answer = answered(page)
    answer.locator("code", has_text="etcdctl check perf --load=s").wait_for()
    text = answer.inner_text()
    assert "The disk of etcd is slow" in text
    assert "$5 or $6, and :red[nothing] else" in text
    answer.locator(CITATION).first.click()
    panel = page.locator(".st-key-passage_panel")
    panel.locator(".hit").first.wait_for()
    assert panel.get_by_text("EtcdSlowDisk", exact=True).first.is_visible()
    page.locator('[data-test-script-state="notRunning"]').wait_for(state="attached")
    beside, source = answer.bounding_box(), panel.bounding_box()
    assert beside is not None
    assert source is not None
    assert beside["x"] + beside["width"] <= source["x"]
    page.get_by_test_id("stChatInputTextArea").fill("A draft")
    panel.get_by_role("button", name="Close the source").click()
    panel.wait_for(state="detached")
    assert page.get_by_test_id("stChatInputTextArea").input_value() == "A draft"
    answer.get_by_role("button", name=re.compile("1 EtcdSlowDisk")).click()
    page.locator(".st-key-passage_panel .hit").first.wait_for()
    assert page.get_by_test_id("stChatInputTextArea").input_value() == "A draft"


def test_thoughts_are_folded_beside_the_answer(spoken: "Product", page: "Page") -> None:
    page.goto(spoken.ui)
    ask(page, "Please think first: why is etcd slow?")
    answer = answered(page)
    answer.get_by_text("The disk of etcd is slow").wait_for()
    thought = answer.get_by_text("The user wants to know [2].")
    assert not thought.is_visible()
    answer.get_by_text("What the model thought").click()
    thought.wait_for(state="visible")


def test_an_answer_that_cites_nothing_says_so_and_shows_what_the_model_was_given(
    spoken: "Product", page: "Page"
) -> None:
    page.goto(spoken.ui)
    ask(page, "Please cite nothing: what does etcd need?")
    answer = answered(page)
    answer.get_by_text("The model cited no source.").wait_for()
    answer.get_by_role("button", name=re.compile("1 EtcdSlowDisk")).click()
    page.locator(".st-key-passage_panel .hit").first.wait_for()


def test_an_answer_grows_while_it_is_written_and_stop_ends_the_work(spoken: "Product", page: "Page") -> None:
    left = spoken.model.left
    page.goto(spoken.ui)
    ask(page, "Please speak slowly")
    live = page.locator(".st-key-answer_live")
    live.get_by_text("word word").first.wait_for()
    early = len(live.inner_text())
    wait_until(lambda: len(live.inner_text()) > early)
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("Stopped. What had been said is kept.").wait_for()
    spoken.model.until_left(left)
    assert spoken.model.left == left + 1
    assert page.get_by_role("button", name="Stop").count() == 0
    last = spoken.client.thread(page.url.partition("thread=")[2]).messages[-1]
    assert last.state == "stopped"
    assert "word word" in last.text


def test_the_newest_question_is_in_view_when_it_is_asked_and_when_its_conversation_is_opened(
    spoken: "Product", page: "Page"
) -> None:
    page.set_viewport_size({"width": 1100, "height": 460})
    page.goto(spoken.ui)
    for number in range(3):
        ask(page, f"Why is etcd slow, asked {number}?")
        page.locator('[class*="st-key-question_"]').nth(number).wait_for()
        answered(page)
    question = page.locator('[class*="st-key-question_"]').last
    page.wait_for_function(IN_VIEW, arg=question.element_handle())
    page.mouse.move(600, 150)
    page.mouse.wheel(0, -9000)
    page.wait_for_function("document.querySelector('[data-testid=stMain]').scrollTop === 0")
    page.wait_for_timeout(600)
    assert page.get_by_test_id("stMain").evaluate("main => main.scrollTop") == 0  # nobody is pulled back
    page.reload()
    answered(page)
    page.wait_for_function(IN_VIEW, arg=page.locator('[class*="st-key-question_"]').last.element_handle())
    ask(page, "Please speak slowly for a long while")
    page.locator(".st-key-answer_live").get_by_text("word word").first.wait_for()
    page.wait_for_function(IN_VIEW, arg=page.locator(".st-key-question_live").element_handle())
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("Stopped. What had been said is kept.").wait_for()


IN_VIEW = "question => { const top = question.getBoundingClientRect().top; return 0 <= top && top < innerHeight / 2 }"


def test_an_answer_that_breaks_off_says_so_once_and_keeps_its_sources(spoken: "Product", page: "Page") -> None:
    page.goto(spoken.ui)
    ask(page, "Say etcd and break off")
    answer = answered(page)
    page.get_by_text("The answer broke off.").wait_for()
    assert page.locator("body").inner_text().count("broke off:") == 1
    answer.locator(CITATION).first.click()
    page.locator(".st-key-passage_panel .hit").first.wait_for()
    page.goto(spoken.ui)
    ask(page, "Say nothing but an error")
    answered(page)
    page.get_by_text("No answer came.").wait_for()
    assert page.get_by_role("button", name="Copy").count() == 0


def test_a_reload_finds_the_conversation_and_the_answer_on_its_way(spoken: "Product", page: "Page") -> None:
    page.goto(spoken.ui)
    ask(page, "Please speak slowly once more")
    page.locator(".st-key-answer_live").get_by_text("word word").first.wait_for()
    page.reload()
    page.locator(".st-key-answer_live").get_by_text("word word").first.wait_for()
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("Stopped. What had been said is kept.").wait_for()
    page.reload()
    page.get_by_text("Stopped. What had been said is kept.").wait_for()
    assert page.locator('[class*="st-key-question_"]').inner_text() == "Please speak slowly once more"
    page.goto(spoken.ui)
    page.locator(".st-key-threads").get_by_text("Please speak slowly once more").click()
    page.get_by_text("Stopped. What had been said is kept.").wait_for()


def test_a_conversation_is_renamed_and_deleted(spoken: "Product", page: "Page") -> None:
    thread = spoken.client.create_thread("Old title")
    page.goto(f"{spoken.ui}/?thread={thread.id}")
    row = page.locator(f".st-key-thread_selected_{thread.id}")
    row.get_by_role("button", name="Rename or delete").click()
    page.get_by_role("menuitem", name="Rename").click()
    page.get_by_role("dialog").get_by_label("Title").fill("New title")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    row.get_by_text("New title").wait_for()
    row.get_by_role("button", name="Rename or delete").click()
    page.get_by_role("menuitem", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    row.wait_for(state="detached")
    assert "thread=" not in page.url
    assert thread.id not in {each.id for each in spoken.client.threads().items}


def test_conversations_are_found_by_their_words_and_what_was_sought_is_repeated_as_typed(
    spoken: "Product", page: "Page"
) -> None:
    spoken.client.create_thread("Kafka is lagging")
    page.goto(spoken.ui)
    search = page.get_by_placeholder("Search conversations")
    search.fill("lagging")
    search.press("Enter")
    page.locator(".st-key-threads").get_by_text("Kafka is lagging").wait_for()
    search.fill("<b>_none_</b>")
    search.press("Enter")
    page.get_by_text("No conversation contains “<b>_none_</b>”.").wait_for()


def test_leaving_the_page_stops_the_work(spoken: "Product", browser: "Browser") -> None:
    left = spoken.model.left
    context = browser.new_context(locale="en-GB")
    context.set_default_timeout(1000 * PATIENCE_S)
    page = context.new_page()
    page.goto(spoken.ui)
    ask(page, "Speak slowly to nobody, speak slowly")
    page.locator(".st-key-answer_live").get_by_text("word word").first.wait_for()
    context.close()
    spoken.model.until_left(left)


def test_another_route_is_one_click_away(spoken: "Product", page: "Page") -> None:
    page.goto(spoken.ui)
    ask(page, "What about EtcdSlowDisk?")
    answer = answered(page)
    answer.get_by_role("button", name=re.compile("Documents")).click()
    page.get_by_text("Why this route").wait_for()
    page.get_by_role("button", name="Plain chat").click()
    page.locator('[class*="st-key-why_"]').get_by_text("Plain chat").wait_for()
    thread = spoken.client.thread(page.url.partition("thread=")[2])
    assert [message.role for message in thread.messages] == ["user", "assistant"]
    assert thread.messages[-1].route is not None
    assert thread.messages[-1].route.scenario == "chat"


def test_chinese_pages_speak_chinese(spoken: "Product", browser: "Browser") -> None:
    context = browser.new_context(locale="zh-CN")
    context.set_default_timeout(1000 * PATIENCE_S)
    page = context.new_page()
    for path, heading in (("", "今天要解决什么问题？"), ("/knowledge", "知识库"), ("/status", "状态与设置")):
        page.goto(spoken.ui + path)
        page.get_by_role("heading", name=heading).wait_for()
        assert not set(re.findall(r"[A-Za-z]{4,}", page.locator("body").inner_text())) & ENGLISH
    page.locator("html[lang=zh]").wait_for(state="attached")
    context.close()


ENGLISH = {"Chat", "Knowledge", "Status", "Settings", "Search", "Documents", "Upload", "Browse", "Drag", "ready"} | {
    "default", "Refresh", "Preferences", "conversation", "limit", "file", "opened", "free", "Press", "Choose"
}  # fmt: skip


def test_language_and_theme_are_remembered_by_the_browser(spoken: "Product", page: "Page") -> None:
    page.goto(spoken.ui)
    page.get_by_role("button", name="Preferences").click()
    page.get_by_text("中文", exact=True).click()
    page.get_by_role("heading", name="今天要解决什么问题？").wait_for()
    page.reload()
    page.get_by_role("heading", name="今天要解决什么问题？").wait_for()
    page.get_by_role("button", name="偏好").click()
    with page.expect_navigation():
        page.get_by_text("深色", exact=True).click()
    page.get_by_role("heading", name="今天要解决什么问题？").wait_for()
    page.wait_for_function("getComputedStyle(document.querySelector('.stApp')).backgroundColor === 'rgb(18, 20, 26)'")
    page.get_by_role("button", name="偏好").click()
    page.get_by_role("radio", name="深色", checked=True).wait_for()


def test_on_a_narrow_screen_the_source_covers_the_page_and_closes_by_escape(
    spoken: "Product", browser: "Browser"
) -> None:
    context = browser.new_context(locale="en-GB", viewport={"width": 390, "height": 800})
    context.set_default_timeout(1000 * PATIENCE_S)
    page = context.new_page()
    page.goto(spoken.ui)
    ask(page, "Why is etcd slow, in short?")
    answered(page).locator(CITATION).first.click()
    panel = page.locator(".st-key-passage_panel")
    panel.locator(".hit").first.wait_for()
    box = panel.bounding_box()
    assert box is not None
    assert (box["x"], box["width"]) == (0, 390)
    page.keyboard.press("Escape")
    panel.wait_for(state="detached")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()


def test_what_is_drawn_above_the_page_follows_the_theme(spoken: "Product", browser: "Browser") -> None:
    context = browser.new_context(locale="en-GB", color_scheme="dark")
    context.set_default_timeout(1000 * PATIENCE_S)
    page = context.new_page()
    base = next(each for each in spoken.client.knowledge_bases() if each.name == "Runbooks")
    page.goto(f"{spoken.ui}/knowledge?kb={base.id}")
    row = page.locator('[class*="st-key-file_row_"]', has_text="EtcdSlowDisk.md")
    row.get_by_role("button", name="Actions").click()
    page.get_by_role("menuitem", name="Show passages").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text(re.compile(r"split by headings, up to \d+ tokens each")).wait_for()
    words = dialog.locator(".cb-chunk pre").first
    for scheme in ("dark", "light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.wait_for_function(f"getComputedStyle(document.documentElement).colorScheme === '{scheme}'")
        assert words.evaluate(CONTRAST) > 7
        assert dialog.locator(".cb-quiet").first.evaluate(CONTRAST) > 4.5
    context.close()


CONTRAST = """element => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true})
  const light = colour => {
    canvas.fillStyle = colour
    canvas.fillRect(0, 0, 1, 1)
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map(each => each / 255)
      .map(each => each <= 0.03928 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  let ground = element
  while (getComputedStyle(ground).backgroundColor === "rgba(0, 0, 0, 0)") ground = ground.parentElement
  const pair = [getComputedStyle(element).color, getComputedStyle(ground).backgroundColor].map(light)
  return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05)
}"""
"""The contrast of an element's words with what is behind them, as WCAG counts it."""


def test_first_start_fits_a_narrow_screen(fresh: "Product", browser: "Browser") -> None:
    context = browser.new_context(locale="en-GB", viewport={"width": 390, "height": 844})
    context.set_default_timeout(1000 * PATIENCE_S)
    page = context.new_page()
    page.goto(fresh.ui)
    page.get_by_role("button", name="Build the sample knowledge base").wait_for()
    sample, own = (page.locator(f".st-key-start_{name}").bounding_box() for name in ("sample", "own"))
    assert sample is not None
    assert own is not None
    assert sample["y"] + sample["height"] < own["y"]
    for card in (sample, own):
        assert card["x"] >= 0
        assert card["x"] + card["width"] <= 390
    context.close()


def test_a_server_that_went_away_is_named_in_the_language_of_the_page_which_goes_on_when_it_is_back(
    tmp_path: Path, embedding_cache: Path, browser: "Browser"
) -> None:
    from served_pages import product

    with product(tmp_path, embedding_cache, model=None) as running:
        port = running.ui.rpartition(":")[2]
        context = browser.new_context(locale="zh-CN")
        context.set_default_timeout(1000 * PATIENCE_S)
        page = context.new_page()
        page.goto(running.ui)
        page.get_by_role("heading", name="向您自己的运行手册提问").wait_for()
    page.get_by_role("dialog").get_by_role("heading", name="连接已断开").wait_for()
    page.get_by_role("dialog").get_by_text("恢复后页面会自动继续").wait_for()
    assert "Streamlit" not in page.locator("body").inner_text()
    again = tmp_path / "again"
    again.mkdir()
    with product(again, embedding_cache, model=None, server__ui_port=port):
        page.get_by_role("dialog").wait_for(state="detached")
        page.get_by_role("button", name="构建示例知识库").click()
        page.get_by_text("试试这些问题").wait_for()
    context.close()


def test_a_sandbox_that_is_switched_off_is_not_told_to_be_installed(
    tmp_path: Path, embedding_cache: Path, page: "Page"
) -> None:
    from served_pages import product

    with product(tmp_path, embedding_cache, model=None, sandbox__enabled="false") as running:
        page.goto(f"{running.ui}/status?section=sandbox")
        page.get_by_text("set sandbox.enabled to true").wait_for()
        assert "apt-get" not in page.locator("body").inner_text()
