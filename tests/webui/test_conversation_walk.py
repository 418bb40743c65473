"""Walks the sidebar through five conversations: the address follows what is shown, and everything that is done belongs to
the conversation that is shown."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from scripted_model import Reply, ScriptedModel
from served_pages import Product, fill, product

from sandbox.docker.image_build import Image

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.service

CITATION = 'a[href^="#cite-"]'
NAMES = ("Alpha", "Bravo", "Charlie", "Delta", "Echo")


def reply(body: dict[str, Any]) -> Reply:
    """An answer that names what was asked, cites, and has code that prints it."""
    asked = re.search(r"(\w+) about etcd", str(body["messages"][-1]["content"]).rsplit("\n", 1)[-1])
    word = asked.group(1) if asked else "nothing"
    slow = {"piece": 5, "pause_s": 0.05} if word == "slowly" else {"piece": 40, "pause_s": 0.01}
    return Reply(text=f"Told of {word} [1].\n\n```python\nprint('ran', '{word}')\n```\n\n" + "word " * 4000 * (word == "slowly"),
                 **slow)  # fmt: skip


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory, embedding_cache: Path) -> Iterator[Product]:
    with (
        ScriptedModel(reply) as model,
        product(tmp_path_factory.mktemp("walked"), embedding_cache, model=model) as running,
    ):
        fill(running.client, "Runbooks")
        yield running


@pytest.fixture
def ids(walked: Product) -> dict[str, str]:
    """Five conversations that nothing was asked in, by name."""
    return {name: walked.client.create_thread(name).id for name in NAMES}


class Walk:
    """A person at one tab of the browser."""

    def __init__(self, page: "Page", running: Product, ids: dict[str, str]) -> None:
        self.page, self.running, self.ids = page, running, ids

    def open(self, name: str) -> None:
        self.page.goto(f"{self.running.ui}/?thread={self.ids[name]}")
        self.shows(name)

    def choose(self, name: str) -> None:
        """Click a conversation in the sidebar."""
        self.page.locator(f'[class*="st-key-thread_"][class*="{self.ids[name]}"] a').first.click()
        self.shows(name)

    def shows(self, name: str) -> None:
        """The sidebar and the address name the same conversation."""
        self.page.locator(f".st-key-thread_selected_{self.ids[name]}").wait_for()
        assert self.page.url == f"{self.running.ui}/?thread={self.ids[name]}"

    def ask(self, word: str) -> None:
        """Ask, and wait for the answer."""
        self.page.get_by_test_id("stChatInputTextArea").fill(f"What does the runbook say of {word} about etcd?")
        self.page.keyboard.press("Enter")
        if word == "slowly":
            self.page.locator(".st-key-answer_live").get_by_text("word word").first.wait_for()
        else:
            self.answer(word)

    def answer(self, word: str) -> None:
        self.page.locator(
            '[class*="st-key-answer_"]', has=self.page.get_by_role("button", name="Answer again")
        ).get_by_text(f"Told of {word}").wait_for()

    def cite(self) -> None:
        """Open the newest citation and close it again."""
        self.page.locator(CITATION).last.click()
        panel = self.page.locator(".st-key-passage_panel")
        panel.locator(".hit").first.wait_for()
        panel.get_by_role("button", name="Close the source").click()
        panel.wait_for(state="detached")

    def menu(self, name: str, item: str) -> None:
        row = self.page.locator(f'[class*="st-key-thread_"][class*="{self.ids[name]}"]').first
        row.get_by_role("button", name="Rename or delete").click()
        self.page.get_by_role("menuitem", name=item).click()


def words(running: Product, thread: str) -> list[str]:
    """What was asked in a conversation, and what was answered, in order."""
    found = (re.search(r"of (\w+)", message.text) for message in running.client.thread(thread).messages)
    return [match.group(1) if match else "" for match in found]


def test_a_question_a_citation_and_a_second_answer_belong_to_the_conversation_that_is_shown(
    walked: Product, ids: dict[str, str], page: "Page"
) -> None:
    walk = Walk(page, walked, ids)
    walk.open("Alpha")
    for name in ("Bravo", "Charlie", "Delta", "Echo", "Alpha"):
        walk.choose(name)
        walk.ask(name)
        walk.cite()
        walk.shows(name)
    for name in ("Delta", "Bravo"):
        walk.choose(name)
        walk.answer(name)
        before = walked.client.thread(ids[name]).messages[-1].id
        page.get_by_role("button", name="Answer again").click()
        page.locator(f'[class*="st-key-answer_m"]:not(.st-key-answer_{before})').wait_for()
        walk.shows(name)
        assert walked.client.thread(ids[name]).messages[-1].id != before
    assert {name: words(walked, ids[name]) for name in NAMES} == {name: [name, name] for name in NAMES}


def test_renaming_and_deleting_leave_the_conversation_that_is_shown(
    walked: Product, ids: dict[str, str], page: "Page"
) -> None:
    walk = Walk(page, walked, ids)
    walk.open("Alpha")
    walk.choose("Charlie")
    for name, title in (("Charlie", "Shown and renamed"), ("Delta", "Renamed beside it")):
        walk.menu(name, "Rename")
        page.get_by_role("dialog").get_by_label("Title").fill(title)
        page.get_by_role("dialog").get_by_role("button", name="Save").click()
        page.locator(".st-key-threads").get_by_text(title).wait_for()
        page.get_by_role("dialog").wait_for(state="detached")
        walk.shows("Charlie")
    walk.menu("Delta", "Delete")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.locator(".st-key-threads").get_by_text("Renamed beside it").wait_for(state="detached")
    walk.shows("Charlie")
    walk.ask("first")
    walk.menu("Charlie", "Delete")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.locator(".st-key-threads").get_by_text("Shown and renamed").wait_for(state="detached")
    page.wait_for_url(f"{walked.ui}/")
    walk.ask("fresh")
    begun = page.url.partition("thread=")[2]
    assert begun not in ids.values()
    assert words(walked, begun) == ["fresh", "fresh"]
    left = {thread.id for thread in walked.client.threads(limit=100).items}
    assert [name for name in NAMES if ids[name] in left] == ["Alpha", "Bravo", "Echo"]
    assert all(walked.client.thread(ids[name]).messages == () for name in ("Alpha", "Bravo", "Echo"))


def test_back_forward_and_reload_show_what_the_address_says(walked: Product, ids: dict[str, str], page: "Page") -> None:
    walk = Walk(page, walked, ids)
    walk.open("Alpha")
    walk.choose("Bravo")
    page.locator(".st-key-places").get_by_text("Knowledge").click()
    page.get_by_role("heading", name="Knowledge").wait_for()
    walk.choose("Charlie")
    page.locator(".st-key-places").get_by_text("Chat").click()
    page.get_by_role("heading", name="What needs fixing?").wait_for()
    assert page.url == f"{walked.ui}/"
    page.go_back()
    walk.shows("Charlie")
    walk.ask("back")
    page.go_back()
    page.get_by_role("heading", name="Knowledge").wait_for()
    page.go_back()
    walk.shows("Bravo")
    page.reload()
    walk.shows("Bravo")
    walk.ask("reloaded")
    page.go_back()
    walk.shows("Alpha")
    page.go_forward()
    walk.shows("Bravo")
    walk.answer("reloaded")
    page.get_by_role("button", name="New conversation").click()
    page.get_by_role("heading", name="What needs fixing?").wait_for()
    walk.ask("new")
    assert page.url.partition("thread=")[2] not in ids.values()
    asked = {name: words(walked, ids[name]) for name in NAMES}
    assert asked == {"Alpha": [], "Bravo": ["reloaded"] * 2, "Charlie": ["back"] * 2, "Delta": [], "Echo": []}


def test_two_tabs_and_an_answer_on_its_way_keep_apart(walked: Product, ids: dict[str, str], page: "Page") -> None:
    one = Walk(page, walked, ids)
    two = Walk(page.context.new_page(), walked, ids)
    one.open("Alpha")
    two.open("Bravo")
    one.choose("Charlie")
    one.ask("slowly")
    two.choose("Delta")
    two.ask("two")
    one.choose("Echo")
    one.ask("meanwhile")
    two.choose("Charlie")
    two.page.locator(".st-key-answer_live").get_by_text("word word").first.wait_for()
    one.choose("Charlie")
    one.page.get_by_role("button", name="Stop").click()
    for tab in (one, two):
        tab.page.get_by_text("Stopped. What had been said is kept.").wait_for()
        tab.shows("Charlie")
    two.ask("after")
    asked = {name: words(walked, ids[name]) for name in NAMES}
    assert asked == {
        "Alpha": [], "Bravo": [], "Charlie": ["slowly", "slowly", "after", "after"], "Delta": ["two"] * 2,
        "Echo": ["meanwhile"] * 2,
    }  # fmt: skip


def test_code_runs_for_the_conversation_that_is_shown(
    image: Image, walked: Product, ids: dict[str, str], page: "Page"
) -> None:
    walk = Walk(page, walked, ids)
    walk.open("Alpha")
    for name in ("Bravo", "Charlie", "Delta"):
        walk.choose(name)
        walk.ask(name)
    for name in ("Charlie", "Bravo"):
        walk.choose(name)
        walk.answer(name)
        page.get_by_role("button", name="Run", exact=True).click()
        page.get_by_text(f"ran {name}", exact=True).wait_for()
        walk.shows(name)
    outputs = {name: [run.stdout for run in walked.client.bench.runs(ids[name])] for name in NAMES}
    assert outputs == {"Alpha": [], "Bravo": ["ran Bravo\n"], "Charlie": ["ran Charlie\n"], "Delta": [], "Echo": []}
