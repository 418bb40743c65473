"""The catalog: both languages say everything, and everything is said somewhere."""

import re
import string
from pathlib import Path

import pytest
from pydantic import SecretStr

import webui
from agents.toolbox import toolset_kinds
from agents.toolbox.sql import DatabaseSettings, SqlSettings
from devops_chatbot.config import settings
from devops_chatbot.config.in_force import in_force
from devops_chatbot.i18n.settings import meaning
from webui.i18n import TEXTS

FOLDER = Path(str(webui.__file__)).parent
BUILT = re.compile(r'f"([a-z]+\.[a-z_]*)\{')
PLAIN = re.compile(r't\(\s*"([a-z]+\.[A-Za-z_]+)"')
QUOTED = re.compile(r'"([a-z]+\.[A-Za-z_]+)"')

DATABASE = SqlSettings(databases={"NAME": DatabaseSettings(url=SecretStr("sqlite:///x"))})
READ = {name: kind.Settings() for name, kind in toolset_kinds().found.items()} | {"sql": DATABASE}
"""What the built-in toolsets read when nothing is set, and a database."""


def placeholders(text: str) -> set[str]:
    return {name for form in text.split("|") for _, name, _, _ in string.Formatter().parse(form) if name}


def test_both_languages_have_the_same_texts_with_the_same_placeholders() -> None:
    english, chinese = TEXTS.texts["en"], TEXTS.texts["zh"]
    assert english.keys() == chinese.keys()
    for key, text in english.items():
        assert placeholders(text) == placeholders(chinese[key]), key
        assert text.strip()
        assert chinese[key].strip()


def test_chinese_texts_are_chinese() -> None:
    same = {key for key, text in TEXTS.texts["zh"].items() if not re.search(r"[\u4e00-\u9fff]", text)}
    assert same == {"app.name", "add.folder_placeholder", "run.running"}


def test_every_text_that_the_pages_name_exists_and_every_text_is_used() -> None:
    source = "\n".join(path.read_text("utf-8") for path in FOLDER.rglob("*.py"))
    source = source.replace("f'", 'f"')
    keys = set(TEXTS.texts["en"])
    named = set(PLAIN.findall(source))
    assert named <= keys
    begun = tuple(BUILT.findall(source))
    unused = {key for key in keys - set(QUOTED.findall(source)) if not key.startswith(begun)}
    assert unused == set()


@pytest.mark.parametrize(("count", "text"), [(1, "1 document"), (2, "2 documents"), (0, "0 documents")])
def test_one_and_many(count: int, text: str) -> None:
    assert TEXTS.text("knowledge.documents", "en", {"count": count}) == text


def test_every_setting_is_described_in_both_languages() -> None:
    example = settings.Settings(
        models={"my.model": settings.ModelSettings(provider="openai", model="m")},
        embeddings={"mine": settings.EmbeddingSettings(provider="bundled")},
    )
    for row in in_force(example, READ):
        words = meaning(row.key, row.description, "zh")
        assert row.description, row.key
        assert re.search("[\u4e00-\u9fff]", words), row.key


def test_no_folder_of_the_pages_hides_a_package_beside_them() -> None:
    beside = {path.parent.name for path in FOLDER.parent.glob("*/__init__.py")}
    assert "knowledge" in beside
    assert not beside & {path.name for path in FOLDER.iterdir()}
