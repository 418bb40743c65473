"""Settings: one file and the environment; a mistake names the key, the value and what was expected."""

import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from agents.toolbox import toolset_kinds
from agents.toolbox.sql import DatabaseSettings, SqlSettings
from devops_chatbot.config import settings
from devops_chatbot.config.in_force import in_force
from devops_chatbot.errors import ConfigError

ROOT = Path(__file__).parents[2]

DATABASE = SqlSettings(databases={"NAME": DatabaseSettings(url=SecretStr("sqlite:///x"))})
READ = {name: kind.Settings() for name, kind in toolset_kinds().found.items()} | {"sql": DATABASE}
"""What the built-in toolsets read when nothing is set, and a database."""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_nothing_set_gives_the_defaults(here: Path) -> None:
    loaded = settings.load()
    assert loaded.server.host == "127.0.0.1"
    assert loaded.roles.answer == ()
    assert loaded.knowledge.embedding == "bundled"


def test_file_then_environment_wins_and_the_origin_is_told(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "chatbot.toml").write_text(
        '[server]\nport = 9000\nui_port = 9001\n[models.big]\nprovider = "openai"\nmodel = "m"\napi_key = "sk-hidden"\n'
    )
    monkeypatch.setenv("CHATBOT_SERVER__PORT", "9100")
    loaded = settings.load()
    assert (loaded.server.port, loaded.server.ui_port) == (9100, 9001)
    told = {row.key: row for row in in_force(loaded)}
    assert told["server.port"].origin == "environment"
    assert told["server.ui_port"].origin == "file"
    assert told["server.host"].origin == "default"
    assert told["models.big.model"].origin == "file"
    assert "sk-hidden" not in repr(list(told.values())) + repr(loaded)


def test_another_file_can_be_named(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "other.toml").write_text("[server]\nport = 9000\n")
    monkeypatch.setenv("CHATBOT_CONFIG", str(here / "other.toml"))
    assert settings.load().server.port == 9000
    monkeypatch.setenv("CHATBOT_CONFIG", str(here / "absent.toml"))
    with pytest.raises(ConfigError, match=r"CHATBOT_CONFIG.*absent\.toml"):
        settings.load()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[server]\nprot = 1\n", r"server\.prot: unknown setting; expected one of host, port"),
        ('[server]\nport = "abc"\n', r"server\.port: is 'abc'; expected: a whole number$"),
        ("[server]\nport = 70000\n", r"server\.port: is 70000; expected: a number less than or equal to 65535"),
        ("knowledge = 5\n", r"knowledge: is 5; expected: a table, \[knowledge\]"),
        ('[server]\nhost = ""\n', r"server\.host: is ''; expected: text that is not empty"),
        ('[roles]\nanswer = "big"\n', r'roles\.answer: is \'big\'; expected: a list, such as \["one", "two"\]'),
        (
            '[models.m]\nprovider = "openai"\nmodel = "x"\nbase_url = "localhost:11434"\n',
            r"models\.m\.base_url: is 'localhost:11434'; expected: an address that begins with http://",
        ),
        (
            '[[sandbox.servers]]\nurl = "worker-1:8610"\n',
            r"sandbox\.servers\.0\.url: is 'worker-1:8610'; expected: an address that begins with http://",
        ),
        ("[models.m]\nprovder = 1\n", r"models\.m\.provder: unknown setting; expected one of provider, model"),
        ("colour = 1\n", r"colour: unknown setting; expected one of data_dir, server"),
        ('[models.m]\nprovider = "openai"\n', r"models\.m\.model: is missing; expected: text"),
        ('[models.m]\nmodel = "x"\n', r"models\.m\.provider: is missing; expected: 'openai-compatible' or 'openai'"),
        ('[models.m]\nprovider = "openai-compatible"\nmodel = "x"\n', r"models\.m: base_url is missing"),
        (
            '[models.m]\nprovider = "gpt"\nmodel = "x"\n',
            r"models\.m\.provider: is 'gpt'; expected: 'openai-compatible'",
        ),
        ('[roles]\nanswer = ["big"]\n', r"roles\.answer names the model 'big'.*Known: extractive"),
        ('[knowledge]\nembedding = "big"\n', r"knowledge\.embedding is 'big'.*Known: bundled"),
        ("[knowledge]\nchunk_tokens = 40\noverlap_tokens = 30\n", r"expected: at most half"),
        ('[server]\nkey = " "\n', r"server\.key: is empty; expected: a long random text"),
        ('[server]\nkey = "schlüssel"\n', r"server\.key: is \(hidden\); expected: ASCII"),
        ("[server]\nport = 9000\nui_port = 9000\n", r"server: port and ui_port are both 9000; expected: two different"),
        (
            '[models.m]\nprovider = "openai"\nmodel = "x"\ncontext = 1024\n',
            r"models\.m: max_output is 1024 and context 1024; expected: a max_output of at most 512",
        ),
        (
            '[embeddings.bundled]\nprovider = "openai-compatible"\nmodel = "x"\nbase_url = "http://127.0.0.1:1"\n',
            r"embeddings\.bundled: this name is kept for the built-in model",
        ),
        ("[server\n", r"chatbot\.toml is not valid TOML"),
    ],
)
def test_a_mistake_in_the_file_names_key_value_and_expectation(here: Path, text: str, expected: str) -> None:
    (here / "chatbot.toml").write_text(text)
    with pytest.raises(ConfigError, match=expected):
        settings.load()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("CHATBOT_SERVER__PROT", "1", r"server\.prot \(CHATBOT_SERVER__PROT\): unknown setting; expected one of host"),
        ("CHATBOT_COLOUR", "1", r"CHATBOT_COLOUR: unknown setting"),
        ("CHATBOT_SERVER__PORT", "x", r"server\.port \(CHATBOT_SERVER__PORT\): is 'x'; expected: a whole number"),
        ("CHATBOT_SERVER__PORT__X", "1", r"CHATBOT_SERVER__PORT__X: unknown setting; server\.port is one value"),
        ("CHATBOT_DATA_DIR__X", "1", r"CHATBOT_DATA_DIR__X: unknown setting; data_dir is one value"),
        ("CHATBOT_DATA_DIR", "", r"data_dir \(CHATBOT_DATA_DIR\): is ''; expected: a path that is not empty"),
        ("CHATBOT_ROLES", "zz", r"roles \(CHATBOT_ROLES\): is 'zz'; expected: JSON"),
        ("CHATBOT_ROLES__ANSWER", "big", r'\(CHATBOT_ROLES__ANSWER\): is \'big\'; expected: JSON, such as \["one"'),
        (
            "CHATBOT_MODELS__M",
            "sk-1",
            r"models\.m \(CHATBOT_MODELS__M\): is \(hidden\); expected: a table, \[models\.m\]",
        ),
    ],
)
def test_a_mistake_in_the_environment_is_refused(
    here: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=expected):
        settings.load()


def test_a_wrong_key_is_not_repeated_in_the_message(here: Path) -> None:
    (here / "chatbot.toml").write_text('[models.m]\nprovider = "openai"\nmodel = "x"\napi_key = 12345678\n')
    with pytest.raises(ConfigError) as caught:
        settings.load()
    assert "12345678" not in str(caught.value)


def test_every_setting_is_documented() -> None:
    documented = set(re.findall(r"^\| `([a-z_A-Z.]+)`", (ROOT / "docs/settings.md").read_text("utf-8"), re.M))
    example = settings.Settings(
        models={"NAME": settings.ModelSettings(provider="openai", model="m")},
        embeddings={"NAME": settings.EmbeddingSettings(provider="bundled")},
    )
    assert documented == {row.key for row in in_force(example, READ)}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-8"])
def test_a_file_as_editors_on_windows_save_it(here: Path, encoding: str) -> None:
    (here / "chatbot.toml").write_bytes("[server]\r\nport = 9123\r\n".encode(encoding))
    loaded = settings.load()
    assert loaded.server.port == 9123
    assert {row.key: row.origin for row in in_force(loaded)}["server.port"] == "file"
