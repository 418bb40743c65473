"""The code of answers in a real browser, run in real containers by the running product."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from scripted_model import Reply, ScriptedModel
from served_pages import Product, product

from devops_chatbot.schemas.threads import NewMessage
from sandbox.docker.image_build import Image

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.service

COUNTING = """Count first:

```python
import sys, time
x = 40
for n in range(3):
    print("step", n, flush=True)
    time.sleep(0.4)
print("no good", file=sys.stderr)
```

1. Then add

   ```python
   print("sum", x + 2)
   ```
2. Or in the shell:

   ```console
   $ echo from the $0
   from the past
   ```

```yaml
not: runnable
```"""
ENDLESS = "Wait:\n\n```python\nprint('begun', flush=True)\nwhile True: pass\n```"
DRAWING = """Draw:

```python
import matplotlib.pyplot as plt, pandas as pd
plt.plot([1, 3, 2])
open("made <b>.csv", "w").write("a;b")
pd.DataFrame({"host": ["<b>web-1</b>", "web-2"], "load": [0.5, 1.25]})
```

```js
const hostile = `<svg xmlns="http://www.w3.org/2000/svg" onload="window.hacked = 1"><script>window.hacked = 1</script></svg>`
console.log(hostile)
```"""
READING = "Read it:\n\n```python\nprint(open('gateway.log').read().split()[0])\n```"
ANSWERS = {"count": COUNTING, "wait": ENDLESS, "draw": DRAWING, "read": READING}


def reply(body: dict[str, Any]) -> Reply:
    asked = str(body["messages"][-1]["content"])
    return Reply(text=next((text for word, text in ANSWERS.items() if f"please {word}" in asked), "The gateway [1]."))


@pytest.fixture(scope="module")
def coding(image: Image, tmp_path_factory: pytest.TempPathFactory, embedding_cache: Path) -> Iterator[Product]:
    """The product with a model that answers with code, and an engine to run it."""
    with (
        ScriptedModel(reply) as model,
        product(tmp_path_factory.mktemp("coding"), embedding_cache, model=model) as running,
    ):
        yield running


def ask(page: "Page", product: Product, text: str) -> str:
    """Ask in a new conversation; returns its id once the answer is whole."""
    page.goto(product.ui)
    page.get_by_test_id("stChatInputTextArea").fill(text)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Answer again").wait_for()
    return page.url.partition("thread=")[2]


def send(page: "Page", text: str) -> None:
    """Send with files, once they are with the pages."""
    page.get_by_test_id("stFileChipName").first.wait_for()
    page.wait_for_function("!document.querySelector('[data-testid=stFileChipIconSpinner]')")
    page.get_by_test_id("stChatInputTextArea").fill(text)
    page.locator('[data-testid="stChatInputSubmitButton"]:not([disabled])').click()


def cell(page: "Page", number: int) -> "Locator":
    return page.locator(f'[class*="st-key-cell_"][class*="_{number} "], [class*="st-key-cell_"][class$="_{number}"]')


def button(cell: "Locator", name: str) -> "Locator":
    return cell.get_by_role("button", name=name, exact=True)


def test_a_block_runs_and_its_output_streams(coding: Product, page: "Page") -> None:
    thread = ask(page, coding, "please count")
    assert page.locator('[class*="st-key-cell_"] .cb-lang').all_inner_texts() == ["Python", "Python", "Shell"]
    button(cell(page, 0), "Run").click()
    cell(page, 0).get_by_text("step 0").wait_for()
    assert cell(page, 0).get_by_text("step 2").count() == 0
    assert button(cell(page, 1), "Run").is_disabled()
    cell(page, 0).get_by_text("Done").wait_for()
    assert "step 2" in cell(page, 0).inner_text()
    assert cell(page, 0).locator(".cb-stderr").inner_text().strip() == "no good"
    button(cell(page, 1), "Run").click()
    cell(page, 1).get_by_text("sum 42").wait_for()
    button(cell(page, 2), "Run").click()
    cell(page, 2).get_by_text("from the bash").wait_for()
    assert coding.client.bench.sandbox(thread).session is not None


def test_edited_code_runs_with_the_variables_of_before_and_all_of_it_is_there_after_a_reload(
    coding: Product, page: "Page"
) -> None:
    ask(page, coding, "please count up")
    button(cell(page, 0), "Run").click()
    cell(page, 0).get_by_text("Done").wait_for()
    button(cell(page, 1), "Edit").click()
    cell(page, 1).locator("textarea").fill('print("product", x * 3)')
    button(cell(page, 1), "Run").click()
    cell(page, 1).get_by_text("product 120").wait_for()
    page.reload()
    cell(page, 1).get_by_text("product 120").wait_for()
    assert cell(page, 1).get_by_text("Edited", exact=True).is_visible()
    assert "step 2" in cell(page, 0).inner_text()
    button(cell(page, 1), "Restore the original").click()
    cell(page, 1).get_by_text("product 120").wait_for(state="detached")
    assert 'print("sum", x + 2)' in cell(page, 1).inner_text()


def test_an_endless_loop_is_stopped_and_the_session_goes_on(coding: Product, page: "Page") -> None:
    thread = ask(page, coding, "please wait")
    button(cell(page, 0), "Run").click()
    cell(page, 0).get_by_text("begun").wait_for()
    button(cell(page, 0), "Stop").click()
    cell(page, 0).get_by_text("Stopped", exact=True).wait_for()
    run = coding.client.bench.runs(thread)[0]
    assert (run.interrupted, run.stdout) == (True, "begun\n")
    button(cell(page, 0), "Edit").click()
    cell(page, 0).locator("textarea").fill("print('alive')")
    button(cell(page, 0), "Run").click()
    cell(page, 0).get_by_text("alive", exact=True).wait_for()


def test_figures_tables_and_files_are_shown_and_downloaded_and_nothing_in_them_is_obeyed(
    coding: Product, page: "Page", tmp_path: Path
) -> None:
    ask(page, coding, "please draw")
    button(cell(page, 0), "Run").click()
    figure = cell(page, 0).locator(".cb-figure img")
    figure.wait_for()
    page.wait_for_function("document.querySelector('.cb-figure img').naturalWidth > 100")
    rows = cell(page, 0).locator(".cb-data tbody tr")
    assert rows.first.inner_text().split() == ["0", "<b>web-1</b>", "0.5"]
    got = {}
    for name in ("figure-1.png", "figure-1.svg", "table-1.csv", "made <b>.csv"):
        with page.expect_download() as download:
            cell(page, 0).get_by_role("button", name=re.compile(re.escape(name))).click()
        download.value.save_as(tmp_path / "got")
        got[name] = (tmp_path / "got").read_bytes()
    assert got["figure-1.png"].startswith(b"\x89PNG")
    assert b"<svg" in got["figure-1.svg"]
    assert got["table-1.csv"].decode("utf-8-sig").splitlines()[1] == "0,<b>web-1</b>,0.5"
    assert got["made <b>.csv"] == b"a;b"
    button(cell(page, 1), "Run").click()
    cell(page, 1).get_by_text("<script>").wait_for()
    assert page.evaluate("window.hacked") is None


def test_the_code_of_a_new_answer_runs_by_itself_when_its_conversation_is_set_to(coding: Product, page: "Page") -> None:
    page.goto(coding.ui)
    page.locator(".st-key-pick_code button").first.click()
    page.get_by_text("Run the code of new answers by itself").click()
    page.get_by_role("button", name="Code · auto-run").wait_for()
    page.keyboard.press("Escape")
    page.get_by_test_id("stChatInputTextArea").fill("please count alone")
    page.keyboard.press("Enter")
    cell(page, 1).get_by_text("sum 42").wait_for()
    cell(page, 2).get_by_text("from the bash").wait_for()
    thread = page.url.partition("thread=")[2]
    assert [run.block for run in coding.client.bench.runs(thread)] == [0, 1, 2]
    assert coding.client.bench.sandbox(thread).auto_run
    ask(page, coding, "please count no more")
    assert coding.client.bench.runs(page.url.partition("thread=")[2]) == []


def test_attached_files_are_seen_by_code_and_by_questions_of_this_conversation_alone(
    coding: Product, page: "Page", tmp_path: Path
) -> None:
    log, dump = tmp_path / "gateway.log", tmp_path / "dump.bin"
    log.write_text("ZebraTimeout: the gateway of node-7 waited 30 s for the bank\n")
    dump.write_bytes(bytes(range(256)) * 20)
    page.goto(coding.ui)
    page.locator('[data-testid="stChatInput"] input[type="file"]').set_input_files([log, dump])
    send(page, "What is ZebraTimeout?")
    answer = page.locator('[class*="st-key-answer_"]').last
    answer.get_by_role("button", name="1 gateway.log").wait_for()
    chips = page.locator('[class*="st-key-attached_"]')
    chips.filter(has_text="dump.bin").get_by_text("for code only").wait_for()
    assert chips.count() == 2
    page.get_by_test_id("stChatInputTextArea").fill("please read")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_text("ZebraTimeout:", exact=True).wait_for()
    assert coding.client.knowledge_bases() == []
    assert coding.client.search("ZebraTimeout").hits == ()
    chips.filter(has_text="gateway.log").get_by_role("button").click()
    chips.filter(has_text="gateway.log").wait_for(state="detached")
    page.get_by_role("button", name="Run again", exact=True).click()
    page.get_by_text("FileNotFoundError").first.wait_for()


def test_a_file_that_is_too_large_is_refused_and_the_question_can_be_asked_without_it(
    image: Image, tmp_path: Path, embedding_cache: Path, page: "Page"
) -> None:
    (tmp_path / "large.log").write_bytes(b"x" * 2_000_000)
    with (
        ScriptedModel(reply) as model,
        product(tmp_path, embedding_cache, model=model, conversations__attachment_mb="1") as running,
    ):
        page.goto(running.ui)
        page.locator('[data-testid="stChatInput"] input[type="file"]').set_input_files(tmp_path / "large.log")
        send(page, "please count")
        page.get_by_text("an attachment may have 1 MB").wait_for()
        page.get_by_role("button", name="Ask without the files").click()
        page.get_by_role("button", name="Answer again").wait_for()
        assert page.get_by_text("an attachment may have 1 MB").count() == 0


def test_without_an_engine_the_button_says_why_and_everything_else_works(
    tmp_path: Path, embedding_cache: Path, page: "Page"
) -> None:
    with (
        ScriptedModel(reply) as model,
        product(tmp_path, embedding_cache, model=model, sandbox__engine="unix:///nonexistent.sock") as running,
    ):
        thread = ask(page, running, "please count")
        button(cell(page, 0), "Run").click()
        page.get_by_text("Code cannot be run here now").wait_for()
        assert "nonexistent.sock" in page.locator(".cb-why").last.inner_text()
        page.get_by_role("link", name="Sandbox status").click()
        page.get_by_text("apt-get install docker.io debootstrap").wait_for()
        assert list(running.client.ask(thread, NewMessage(text="please wait")))


def test_the_self_test_shows_each_attack_as_it_is_tried_and_its_verdict(coding: Product, page: "Page") -> None:
    page.goto(f"{coding.ui}/status?section=sandbox")
    page.get_by_text("Code can be run").wait_for()
    page.get_by_text(coding.client.bench.state().version).wait_for()
    page.get_by_role("button", name="Start the self-test").click()
    page.locator(".cb-attacks").get_by_text("fork bomb").wait_for()
    assert page.get_by_text("attacks were held off").count() == 0
    page.get_by_text("attacks were held off").wait_for()
    page.locator(".cb-attacks .cb-ready").nth(29).wait_for()
    assert page.locator(".cb-attacks .cb-failed").count() == 0
