"""The page of knowledge in a real browser, against the running product."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page
    from served_pages import Product

pytestmark = pytest.mark.service


def test_a_knowledge_base_is_made_from_files_and_says_which_could_not_be_read(
    spoken: "Product", page: "Page", tmp_path: Path
) -> None:
    good, bad = tmp_path / "NodeClockSkew.md", tmp_path / "empty.md"
    good.write_text("# NodeClockSkew\n\nThe clocks of two nodes differ. Restart chronyd on the node.\n")
    bad.write_bytes(b"")
    page.goto(f"{spoken.ui}/knowledge")
    page.get_by_role("button", name="New knowledge base").click()
    page.get_by_role("dialog").get_by_label("Name").fill("时钟 & clocks")
    page.get_by_role("dialog").get_by_role("button", name="Create").click()
    page.get_by_role("heading", name="时钟 & clocks").wait_for()
    page.locator('input[type="file"]').set_input_files([good, bad])
    page.get_by_role("button", name="Add 2 files").click()
    page.get_by_text("The file is empty.").first.wait_for()
    page.get_by_text("1 added · 1 not readable").wait_for()
    page.get_by_text("Documents", exact=True).last.click()
    page.locator(".cb-file", has_text="NodeClockSkew.md").get_by_text("ready").wait_for()
    page.locator(".cb-file", has_text="empty.md").get_by_text("not readable").wait_for()
    page.locator('[class*="st-key-select_all"] label').click()
    page.get_by_text("2 selected").wait_for()
    page.get_by_role("button", name="Remove", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Remove", exact=True).click()
    page.get_by_text("No documents yet.").wait_for()


@pytest.mark.parametrize("way", ["dropped", "chosen"])
def test_a_whole_folder_is_taken_in_with_the_places_of_its_files(
    spoken: "Product", page: "Page", tmp_path: Path, way: str
) -> None:
    folder = tmp_path / "runbooks"
    for number, service in enumerate(("etcd", "postgres")):
        (folder / service / "deep").mkdir(parents=True)
        (folder / service / "README.md").write_text(f"# {service}\n\nRestart {service} on node {number}.\n")
        (folder / service / "deep" / "logo.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / ".git").mkdir()
    (folder / ".git" / "config.txt").write_text("not a runbook\n")
    (folder / "many").mkdir()
    for number in range(120):  # a browser lists a folder a hundred names at a time
        (folder / "many" / f"{number}.md").write_text(f"# Page {number}\n\nThe page number {number}.\n")
    base = spoken.client.create_knowledge_base(f"A folder, {way}")
    page.goto(f"{spoken.ui}/knowledge?kb={base.id}")
    page.get_by_role("heading", name=base.name).wait_for()
    zone = page.locator('[data-testid="stFileUploaderDropzone"]')
    if way == "dropped":
        drop(page, zone, folder)
    else:
        page.wait_for_function("window.__chatbotBridge")
        with page.expect_file_chooser() as choosing:
            page.get_by_role("button", name="Choose a folder").click()
        choosing.value.set_files(folder)
    page.get_by_role("button", name="Add 124 files").click()
    page.get_by_text("122 added").wait_for()
    held = {each.source_uri for each in spoken.client.documents(base.id, limit=200).items}
    assert {"runbooks/etcd/README.md", "runbooks/postgres/README.md", "runbooks/many/119.md"} <= held
    assert len(held) == 122


def test_the_file_table_sorts_and_says_how_many_pages_there_are(spoken: "Product", page: "Page") -> None:
    base = spoken.client.create_knowledge_base("Sorted")
    files = [(f"{number:02}.md", f"# Page {number}\n\n{'word ' * (60 - number)}\n".encode()) for number in range(30)]
    assert list(spoken.client.run_events(spoken.client.upload(base.id, files).id))[-1].state == "done"
    page.goto(f"{spoken.ui}/knowledge?kb={base.id}")
    rows = page.locator(".cb-file b")
    rows.first.get_by_text("00.md").wait_for()
    page.get_by_text("1–25 of 30 on 2 pages").wait_for()
    page.get_by_role("button", name="Size").click()
    rows.first.get_by_text("29.md").wait_for()
    page.get_by_role("button", name="Size").click()
    rows.first.get_by_text("00.md").wait_for()
    page.get_by_role("button", name="Document", exact=True).last.click()
    page.get_by_role("button", name="Document", exact=True).last.click()
    rows.first.get_by_text("29.md").wait_for()


def test_what_may_be_added_is_said_beforehand(spoken: "Product", page: "Page") -> None:
    base = spoken.client.create_knowledge_base("Limits")
    page.goto(f"{spoken.ui}/knowledge?kb={base.id}")
    page.get_by_text("A file may have 64 MB").wait_for()
    page.get_by_text("The settings allow no folder yet").wait_for()
    assert page.get_by_role("button", name="Add folder").is_disabled()


def drop(page: "Page", zone: "Locator", folder: Path) -> None:
    """Lets go of a folder of this machine over `zone`, as a person who drags it from the desktop."""
    zone.wait_for()
    box = zone.bounding_box()
    assert box is not None
    session = page.context.new_cdp_session(page)
    where = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    data = {"items": [], "files": [str(folder)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, **where, "data": data})
