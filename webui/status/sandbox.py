"""The sandbox on the status page: what it is and can do now, and the self-test with its verdicts as they come."""

import threading
import time
from collections.abc import Callable
from html import escape

import streamlit as st

from devops_chatbot.client.client import Client
from devops_chatbot.errors import ChatbotError
from sandbox.model import AttackResult
from webui.components.blocks import banner, card, quietly, state_badge, table, tag
from webui.components.session import client, opener, show_error, t, told

EVERY_S = 0.3
USUAL_COUNT = 31
"""How many attacks a host usually sees, for the progress bar; those that do not apply are left out."""
SHORT = 19


class SelfTest:
    """One self-test on its way or over. Safe to look at from any thread."""

    def __init__(self, open_client: Callable[[], Client]) -> None:
        self.results: tuple[AttackResult, ...] = ()
        self.error: ChatbotError | None = None
        self.ended = False
        self.begun = time.monotonic()
        self.seconds = 0.0
        self._open_client = open_client
        threading.Thread(target=self._run, name="selftest", daemon=True).start()

    def _run(self) -> None:
        try:
            with self._open_client() as client:
                for result in client.bench.selftest():
                    self.results = (*self.results, result)
        except ChatbotError as error:
            self.error = error
        finally:
            self.seconds = time.monotonic() - self.begun
            self.ended = True


def show() -> None:
    try:
        state = client().bench.state()
    except ChatbotError as error:
        st.html(banner(t("sandbox.absent"), "off"))
        switched_off = error.reason.code == "sandbox.disabled"
        way = t("sandbox.switched_off") if switched_off else t("sandbox.absent_help")
        st.html(f'<div class="cb-card"><p>{escape(told(error.reason))}</p><p>{escape(way)}</p></div>')
        if not switched_off:
            st.code("apt-get install docker.io debootstrap\ndevops-chatbot sandbox build", language="bash")
        return
    st.html(banner(t("sandbox.ready"), "ready"))
    digest = state.digest.removeprefix("sha256:")
    facts = {
        "engine": escape(state.engine),
        "image": f'{escape(state.image)}<div class="cb-quiet">{escape(t("sandbox.version", version=state.version))} · '
        f'<span title="{escape(state.digest)}">sha256:{escape(digest[:SHORT])}…</span></div>',
        "runtime": escape(state.runtime),
        "languages": "".join(map(tag, state.languages)),
        "sessions": escape(t("sandbox.count", used=state.sessions, most=state.capacity)),
        "pool": escape(t("sandbox.warm", count=state.warm)),
    }
    st.html(table("facts", ((f"<b>{escape(t(f'sandbox.{name}'))}</b>", value) for name, value in facts.items())))
    _show_selftest()


@st.cache_resource(show_spinner=False)
def selftests() -> list[SelfTest]:
    """The self-tests of this process, whoever started them; the newest last."""
    return []


def _show_selftest() -> None:
    running = selftests()[-1] if selftests() else None
    busy = running is not None and not running.ended
    with st.container(key="selftest_head", horizontal=True, vertical_alignment="center"):
        card(t("sandbox.selftest"), t("sandbox.selftest_help"))
        if st.button(
            t("sandbox.again") if running else t("sandbox.start"), icon=":material/security:", type="primary",
            key="start_selftest", disabled=busy,
        ):  # fmt: skip
            selftests()[:] = [SelfTest(opener())]
            st.rerun()
    if running is None:
        return
    bar, verdicts = st.empty(), st.empty()
    while not running.ended:
        seconds = time.monotonic() - running.begun
        share = min(0.97, len(running.results) / USUAL_COUNT)
        bar.progress(share, text=t("sandbox.trying", count=len(running.results), seconds=int(seconds)))
        if running.results:
            verdicts.html(_verdicts(running.results))
        time.sleep(EVERY_S)
    if busy:
        st.rerun()
    broken = sum(not result.held for result in running.results)
    if running.error is not None:
        with bar.container():
            show_error(running.error)
    elif broken:
        bar.html(banner(t("sandbox.broken", count=broken), "failed"))
    else:
        words = t("sandbox.held_all", count=len(running.results), seconds=int(running.seconds))
        bar.html(banner(words, "ready"))
    if running.results:
        verdicts.html(_verdicts(running.results))


def _verdicts(results: tuple[AttackResult, ...]) -> str:
    rows = (
        (
            f"<b>{escape(told(each.attack))}</b>{quietly(told(each.detail))}",
            quietly(told(each.control)),
            state_badge("ready", t("sandbox.held")) if each.held else state_badge("failed", t("sandbox.not_held")),
        )
        for each in sorted(results, key=lambda each: each.held)
    )
    return table("attacks", rows, [t(f"sandbox.{name}") for name in ("attack", "control", "verdict")])
