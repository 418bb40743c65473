"""The catalog of what people are told: both languages say everything, with the parameters that the source passes."""

import ast
import pickle
import re
import string
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from pydantic import TypeAdapter

import devops_chatbot
from devops_chatbot import errors
from devops_chatbot.chat import Failure
from devops_chatbot.errors import ChatbotError, ModelUnavailable, NotFound, error_of
from devops_chatbot.i18n import MESSAGES, Reason, accepted_language, current_language, language_of_locale

ROOT = Path(str(devops_chatbot.__file__)).parent.parent
PACKAGES = ("agents", "devops_chatbot", "knowledge", "sandbox", "webui")
MAKERS = {"Reason"} | {
    name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, ChatbotError)
}


@cache
def trees() -> list[tuple[Path, ast.Module]]:
    paths = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    return [
        (path, ast.parse(path.read_text("utf-8"))) for path in paths if "image" not in path.relative_to(ROOT).parts[:2]
    ]


def named(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def told() -> Iterator[tuple[str, ast.Call]]:
    """Every place of the source that makes an error or a reason."""
    found = trees()
    own = {
        node.name
        for _, tree in found
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and any(named(base) in MAKERS for base in node.bases)
    }
    for path, tree in found:
        if path == ROOT / "devops_chatbot" / "errors.py":
            continue  # it hands on what it is given
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and named(node.func) in MAKERS | own:
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def placeholders(text: str) -> set[str]:
    return {name for form in text.split("|") for _, name, _, _ in string.Formatter().parse(form) if name}


def bare(text: str) -> str:
    """The text without what is filled in."""
    return re.sub(r"\{[^}]*\}", "", text)


def test_both_languages_have_the_same_messages_with_the_same_parameters() -> None:
    english, chinese = MESSAGES.texts["en"], MESSAGES.texts["zh"]
    assert english.keys() == chinese.keys()
    for code, text in english.items():
        assert placeholders(text) == placeholders(chinese[code]), code
        assert text.strip(), code
    assert all(re.search("[\u4e00-\u9fff]", text) for text in chinese.values() if re.search("[a-z]", bare(text)))


def test_every_code_exists_with_exactly_the_parameters_that_are_passed() -> None:
    english = MESSAGES.texts["en"]
    for where, call in told():
        (given,) = call.args
        if isinstance(given, ast.Constant):
            assert given.value in english, f"{where}: {given.value}"
            passed = {keyword.arg for keyword in call.keywords}
            assert placeholders(english[str(given.value)]) - {"count"} == passed - {"count"}, f"{where}: {given.value}"
        else:  # a reason that was made elsewhere; never a text that is put together here
            assert not call.keywords, where
            assert isinstance(given, ast.Name | ast.Attribute) or named(given.func) == "parse", where


def test_every_error_says_what_happened_and_what_to_do_next() -> None:
    english = MESSAGES.texts["en"]
    for where, call in told():
        if named(call.func) != "Reason" and isinstance(given := call.args[0], ast.Constant):
            text = english[str(given.value)]
            assert text.endswith("}") or len(re.findall(r"[.;:](?:\s|$)", bare(text))) >= 2, f"{where}: {text}"


def test_every_message_is_used() -> None:
    used = {
        node.value
        for _, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert set(MESSAGES.texts["en"]) <= used


def test_an_error_says_its_english_text_and_keeps_its_parameters() -> None:
    error = NotFound("client.no_server", url="http://here")
    assert str(error).startswith("Nothing answers at http://here.")
    assert error.text("zh").startswith("http://here 没有响应")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 our own bytes
    assert (type(again), again.reason) == (NotFound, error.reason)


def test_a_reason_crosses_the_wire_with_its_text_in_the_readers_language() -> None:
    inner = ModelUnavailable("client.too_slow", url="u")
    failure = Failure(error="BadRequest", reason=Reason("request.invalid", problems=[inner, inner]), status=400)
    wire = TypeAdapter(Failure)
    token = current_language.set("zh")
    try:
        sent = wire.dump_json(failure)
    finally:
        current_language.reset(token)
    assert "；" in sent.decode()
    assert wire.validate_json(sent) == failure
    assert str(error_of("BadRequest", wire.validate_json(sent).reason)).count("u did not answer in time.") == 2


def test_a_code_of_a_newer_server_is_shown_as_that_server_said_it() -> None:
    reason = Reason.parse({"code": "tomorrow.news", "params": {"a": 1}, "text": "Said so."})
    assert (str(reason), reason.params, str(error_of("NoSuchClass", reason))) == ("Said so.", {"a": 1}, "Said so.")
    assert str(Reason.from_json("The words of an old record.")) == "The words of an old record."
    assert Reason.from_json(reason.to_json()) == reason


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("de, en;q=0.7, zh;q=0.3", "en"),
        ("fr;q=x, zh", "zh"),
        ("*", "en"),
    ],
)
def test_the_accepted_language(header: str, language: str) -> None:
    assert accepted_language(header) == language


def test_the_language_of_a_locale() -> None:
    locales = ("zh_CN.UTF-8", "zh", "de-DE", "C", None)
    assert [language_of_locale(locale) for locale in locales] == ["zh", "zh", "en", "en", "en"]
