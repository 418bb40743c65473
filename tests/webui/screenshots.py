"""Takes the pictures of the documentation: `python tests/webui/screenshots.py docs/images` starts the product, uses it
in a browser as a person would, and writes what that looks like. The part `code` needs a Docker engine with the image."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parent.parent))

from scripted_model import Reply, ScriptedModel
from served_pages import RUNBOOK, product

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
CITATION = 'a[href^="#cite-"]'
SPOKEN = """The pod starts, dies, and is started again by the kubelet, each time after a longer wait [1].

Look in this order:

1. **The last log lines before it died** [1]:

   ```sh
   kubectl -n $NAMESPACE logs $POD -c $CONTAINER --previous
   ```
2. **Events of the pod**, which name failing probes, missing images and memory kills [1].
3. **What changed**: configuration, secrets and resource limits of the last deployment [1].

If the exit code is 137, the container was killed for memory: raise its limit or find the leak."""

LATENCY = "minute,p50_ms,p99_ms\n" + "\n".join(
    f"{minute},{48 + minute * 7 % 13},{150 + minute * 37 % 23 + 2 * max(0, minute - 33) ** 2 * (minute < 50)}"
    for minute in range(60)
)
LOG = (
    "2026-11-20T10:34:02Z WARN  bank-adapter pool exhausted: 50 of 50 connections in use\n"
    "2026-11-20T10:36:40Z ERROR GatewayTimeout: node-7 waited 30 s for the bank\n"
    "2026-11-20T10:50:11Z INFO  bank-adapter restarted, 4 of 50 connections in use\n"
)
CODED = """The log says that the connection pool of `bank-adapter` ran out at 10:34, and that a restart at 10:50 ended it [1].
This draws the latency of that hour and counts the minutes over the limit of 300 ms:

```python
import matplotlib.pyplot as plt
import pandas as pd

frame = pd.read_csv("latency.csv")
over = frame[frame.p99_ms > 300]
print(f"{len(over)} minutes over the limit, the first at 10:{over.minute.min():02}")

plt.figure(figsize=(7.2, 2.9))
plt.plot(frame.minute, frame.p99_ms, color="#4f46e5", lw=2, label="p99")
plt.plot(frame.minute, frame.p50_ms, color="#98a0b0", label="p50")
plt.axhline(300, color="#c02b38", ls="--", lw=1, label="limit")
plt.fill_between(over.minute, 300, over.p99_ms, color="#c02b38", alpha=0.12)
plt.xlabel("minute after 10:00")
plt.legend(frameon=False, loc="upper left")
over.to_csv("over-the-limit.csv", index=False)
frame.describe().loc[["mean", "50%", "max"]]
```

To see who holds the connections now:

```console
$ grep -c "pool exhausted" gateway.log
```"""


@contextmanager
def page(browser: Browser, scheme: str, locale: str, width: int = 1440) -> Iterator[Page]:
    context = browser.new_context(
        color_scheme="dark" if scheme == "dark" else "light",
        locale=locale,
        viewport={"width": width, "height": 900},
        device_scale_factor=1 if width > 600 else 2,
        timezone_id="Europe/Berlin",
    )
    page = context.new_page()
    page.set_default_timeout(60_000)
    yield page
    context.close()


def settle(page: Page) -> None:
    page.locator('[data-test-script-state="notRunning"]').wait_for(state="attached")
    page.wait_for_timeout(900)
    page.mouse.move(700, 5)
    page.wait_for_timeout(200)


def ask(page: Page, text: str, again: str) -> None:
    page.get_by_test_id("stChatInputTextArea").fill(text)
    page.keyboard.press("Enter")
    page.get_by_role("button", name=again).wait_for()
    settle(page)


def open_first(page: Page) -> None:
    page.locator(CITATION).first.click()
    page.locator(".st-key-passage_panel .hit").first.wait_for()
    settle(page)


def main(folder: Path, parts: set[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)

    def shot(page: Page, name: str) -> None:
        settle(page)
        page.screenshot(path=folder / f"{name}.png")

    cache = Path(os.environ.get("EMBEDDING_CACHE", tempfile.mkdtemp()))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        if "extracts" in parts:
            with tempfile.TemporaryDirectory() as home, product(Path(home), cache, model=None) as running:
                extracts(browser, running.ui, shot)
        if "code" in parts:
            with (
                ScriptedModel([Reply(text=CODED, piece=40, pause_s=0.005)]) as model,
                tempfile.TemporaryDirectory() as home,
                product(Path(home), cache, model=model) as running,
            ):
                code(browser, running.ui, shot)
        if "spoken" not in parts:
            browser.close()
            return
        with (
            ScriptedModel([Reply(text=SPOKEN, piece=7, pause_s=0.01)]) as model,
            tempfile.TemporaryDirectory() as home,
            product(Path(home), cache, model=model) as running,
        ):
            run = running.client.build_samples()
            list(running.client.run_events(run.id))
            base = running.client.create_knowledge_base("支付团队 runbooks", description="Alerts of the payment team")
            files = [(f"runbooks/{name}.md", RUNBOOK.encode()) for name in ("EtcdSlowDisk", "PaymentQueueFull")]
            list(running.client.run_events(running.client.upload(base.id, [*files, ("scan.pdf", b"%PDF-1.4")]).id))
            spoken(browser, running.ui, shot)
        browser.close()


def extracts(browser: Browser, ui: str, shot) -> None:  # type: ignore[no-untyped-def]
    """The product just installed: first start, the sample, an answer without a model, the panel."""
    with page(browser, "light", "en-GB") as one:
        one.goto(ui)
        one.get_by_role("button", name="Build the sample knowledge base").wait_for()
        shot(one, "first-start")
        one.get_by_role("button", name="Build the sample knowledge base").click()
        one.get_by_text("Questions to try").wait_for()
        shot(one, "questions-to-try")
        ask(one, "A pod is in CrashLoopBackOff. What should I check?", "Answer again")
        open_first(one)
        shot(one, "extract-with-source")
    with page(browser, "dark", "zh-CN") as one:
        one.goto(ui)
        ask(one, "怎样用一条命令启动并导入一个文件夹？", "重新回答")
        open_first(one)
        shot(one, "chinese-dark")


def code(browser: Browser, ui: str, shot) -> None:  # type: ignore[no-untyped-def]
    """With an engine: attached files, the code of an answer run, its figure and table, the sandbox and its self-test."""
    files = [
        {"name": "gateway.log", "mimeType": "text/plain", "buffer": LOG.encode()},
        {"name": "latency.csv", "mimeType": "text/csv", "buffer": LATENCY.encode()},
    ]
    with page(browser, "light", "en-GB") as one:
        one.goto(ui)
        one.locator('[data-testid="stChatInput"] input[type="file"]').set_input_files(files)  # type: ignore[arg-type]
        one.get_by_test_id("stFileChipName").nth(1).wait_for()
        one.wait_for_timeout(800)
        one.get_by_test_id("stChatInputTextArea").fill("When did the gateway break its latency limit, and why?")
        shot(one, "attaching")
        one.get_by_test_id("stChatInputSubmitButton").click()
        one.get_by_role("button", name="Answer again").wait_for()
        one.locator(".cb-chip-ready").nth(1).wait_for()
        shot(one, "attachments")
        one.get_by_role("button", name="Run", exact=True).first.click()
        one.locator(".cb-figure img").wait_for()
        settle(one)
        one.locator(".cb-run-head").first.evaluate("element => element.scrollIntoView({block: 'start'})")
        one.mouse.wheel(0, -330)
        shot(one, "code-figure")
        conversation = one.url
        one.goto(f"{ui}/status?section=sandbox")
        one.get_by_role("button", name="Start the self-test").click()
        one.get_by_text("attacks were held off").wait_for(timeout=180_000)
        shot(one, "status-sandbox")
    with page(browser, "dark", "zh-CN") as one:
        one.goto(conversation)
        one.locator(".cb-figure img").wait_for()
        one.locator(".cb-run-head").first.evaluate("element => element.scrollIntoView({block: 'start'})")
        one.mouse.wheel(0, -330)
        shot(one, "code-chinese-dark")
        one.goto(f"{ui}/status?section=sandbox")
        one.locator(".cb-attacks").wait_for()
        shot(one, "sandbox-chinese-dark")
    with page(browser, "light", "en-GB", width=390) as one:
        one.goto(conversation)
        one.locator(".cb-figure img").wait_for()
        shot(one, "narrow-code")


def spoken(browser: Browser, ui: str, shot) -> None:  # type: ignore[no-untyped-def]
    """With a language model: an answer, its route, knowledge, search, status."""
    with page(browser, "light", "en-GB") as one:
        one.goto(ui)
        ask(one, "A pod is in CrashLoopBackOff. What should I check?", "Answer again")
        open_first(one)
        shot(one, "chat")
        one.get_by_role("button", name="Close the source").click()
        one.locator('[class*="st-key-why_"] button').first.click()
        one.get_by_text("Why this route").wait_for()
        shot(one, "route")
        one.goto(f"{ui}/knowledge")
        one.get_by_role("heading", name="Sample: guide and runbooks").wait_for()
        shot(one, "knowledge")
        one.get_by_text("支付团队 runbooks").first.click()
        one.get_by_text("Alerts of the payment team").wait_for()
        shot(one, "knowledge-errors")
        one.get_by_text("Add documents").first.click()
        one.get_by_text("Follow a folder on the server").wait_for()
        shot(one, "add-documents")
        one.get_by_text("Sample: guide and runbooks").first.click()
        settle(one)
        one.get_by_text("Try a search").first.click()
        one.locator(".st-key-search_text input").fill("etcd is slow")
        one.get_by_role("button", name="Search", exact=True).click()
        one.locator(".cb-found").first.wait_for()
        shot(one, "search")
        for section in ("health", "models", "settings"):
            one.goto(f"{ui}/status?section={section}")
            one.get_by_role("heading", name="Status and settings").wait_for()
            shot(one, f"status-{section}")
    with page(browser, "dark", "en-GB") as one:
        one.goto(ui)
        ask(one, "What does etcdHighFsyncDurations mean?", "Answer again")
        open_first(one)
        shot(one, "chat-dark")
        one.goto(f"{ui}/knowledge")
        one.get_by_role("heading", name="Sample: guide and runbooks").wait_for()
        shot(one, "knowledge-dark")
    with page(browser, "light", "zh-CN") as one:
        one.goto(f"{ui}/knowledge")
        one.get_by_role("heading", name="Sample: guide and runbooks").wait_for()
        shot(one, "knowledge-chinese")
        one.goto(f"{ui}/status?section=settings")
        one.get_by_role("heading", name="状态与设置").wait_for()
        shot(one, "settings-chinese")
    with page(browser, "light", "en-GB", width=390) as one:
        one.goto(ui)
        ask(one, "Why does a pod crash again and again?", "Answer again")
        shot(one, "narrow")
        open_first(one)
        shot(one, "narrow-source")


if __name__ == "__main__":
    main(Path(sys.argv[1]), set(sys.argv[2:]) or {"extracts", "code", "spoken"})
