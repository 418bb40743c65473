"""The sandbox on the status page: what it is and can do now, and the self-test with its verdicts as they come."""

import threading
import time
from collections.abc import Callable
from html import escape

import streamlit as st

from devops_chatbot.client.client import Client
from devops_chatbot.errors import ChatbotError
from sandbox.model import AttackResult, SandboxReadiness
from webui.components.jobs import state_badge
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
        _absent(error)
        return
    _state(state)
    _selftest()


def _absent(error: ChatbotError) -> None:
    st.html(f'<div class="cb-banner cb-off">{escape(t("sandbox.absent"))}</div>')
    switched_off = "sandbox.enabled" in str(error)
    way = t("sandbox.switched_off") if switched_off else t("sandbox.absent_help")
    st.html(f'<div class="cb-card"><p>{escape(told(error.reason))}</p><p>{escape(way)}</p></div>')
    if not switched_off:
        st.code("apt-get install docker.io debootstrap\ndevops-chatbot sandbox build", language="bash")


def _state(state: SandboxReadiness) -> None:
    st.html(f'<div class="cb-banner cb-ready">{escape(t("sandbox.ready"))}</div>')
    digest = state.digest.removeprefix("sha256:")
    rows = {
        "engine": escape(told(state.engine)),
        "image": f'{escape(state.image)}<div class="cb-quiet">{escape(t("sandbox.version", version=state.version))} · '
        f'<span title="{escape(state.digest)}">sha256:{escape(digest[:SHORT])}…</span></div>',
        "runtime": escape(state.runtime),
        "languages": "".join(f'<span class="cb-tag">{escape(name)}</span>' for name in state.languages),
        "sessions": escape(t("sandbox.count", used=state.sessions, most=state.capacity)),
        "pool": escape(t("sandbox.warm", count=state.warm)),
    }
    body = "".join(
        f'<div class="cb-row"><div><b>{escape(t(f"sandbox.{name}"))}</b></div><div>{value}</div></div>'
        for name, value in rows.items()
    )
    st.html(f'<div class="cb-table cb-facts">{body}</div>')


def _selftest() -> None:
    tests = _tests()
    running = tests.get("")
    with st.container(key="selftest_head", horizontal=True, vertical_alignment="center"):
        st.html(
            f'<div class="cb-card"><h2>{escape(t("sandbox.selftest"))}</h2><p>{escape(t("sandbox.selftest_help"))}</p></div>'
        )
        busy = running is not None and not running.ended
        if st.button(
            t("sandbox.again") if running else t("sandbox.start"), icon=":material/security:", type="primary",
            key="start_selftest", disabled=busy,
        ):  # fmt: skip
            tests[""] = SelfTest(opener())
            st.rerun()
    if running is None:
        return
    bar, table = st.empty(), st.empty()
    while not running.ended:
        seconds = time.monotonic() - running.begun
        share = min(0.97, len(running.results) / USUAL_COUNT)
        bar.progress(share, text=t("sandbox.trying", count=len(running.results), seconds=int(seconds)))
        if running.results:
            table.html(_table(running.results))
        time.sleep(EVERY_S)
    if busy:
        st.rerun()
    if running.error is not None:
        with bar.container():
            show_error(running.error)
    else:
        bar.html(_verdict(running))
    if running.results:
        table.html(_table(running.results))


def _verdict(test: SelfTest) -> str:
    broken = sum(not result.held for result in test.results)
    if broken:
        words, state = t("sandbox.broken", count=broken), "failed"
    else:
        words, state = t("sandbox.held_all", count=len(test.results), seconds=int(test.seconds)), "ready"
    return f'<div class="cb-banner cb-{state}">{escape(words)}</div>'


def _table(results: tuple[AttackResult, ...]) -> str:
    names = ("attack", "control", "verdict")
    head = "".join(f"<div>{escape(t(f'sandbox.{name}'))}</div>" for name in names)
    rows = "".join(
        f'<div class="cb-row"><div><b>{escape(told(each.attack))}</b><div class="cb-quiet">{escape(told(each.detail))}</div>'
        f'</div><div class="cb-quiet">{escape(told(each.control))}</div>'
        f"<div>{state_badge(*_held(each.held))}</div></div>"
        for each in sorted(results, key=lambda each: each.held)
    )
    return f'<div class="cb-table cb-attacks"><div class="cb-row cb-row-head">{head}</div>{rows}</div>'


def _held(held: bool) -> tuple[str, str]:
    return ("ready", t("sandbox.held")) if held else ("failed", t("sandbox.not_held"))


@st.cache_resource(show_spinner=False)
def _tests() -> dict[str, SelfTest]:
    """The newest self-test of this process, whoever started it."""
    return {}
