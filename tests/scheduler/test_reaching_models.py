"""What stands between us and a model: certificates, proxies and keys, each named when it is in the way."""

import itertools
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from odd_models import odd_models
from scheduler.conftest import House
from scripted_model import Reply, ScriptedModel, nobody_there

from devops_chatbot.config.settings import load
from devops_chatbot.errors import ConfigError
from devops_chatbot.status import Trial
from sandbox.egress.authority import Authority

PROVIDERS = {
    "openai-compatible": {"provider": "openai-compatible", "model": "m"},
    "openai": {"provider": "openai", "model": "m", "api_key": "k"},
    "azure": {"provider": "azure", "model": "m", "api_key": "k", "api_version": "2024-10-21"},
    "anthropic": {"provider": "anthropic", "model": "m", "api_key": "k"},
    "ollama": {"provider": "ollama", "model": "m"},
}
PROXIES = ["".join(name) for name in itertools.product(("http", "https", "all", "no"), ("_proxy",))]
every_provider = pytest.mark.parametrize("provider", PROVIDERS)


@pytest.fixture(autouse=True)
def _no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def tried(house: Callable[..., House], settings: dict[str, object]) -> Trial:
    here = house(models={"x": settings})
    trial: Trial = here.run(here.models.test("x"))
    return trial


@every_provider
def test_an_unknown_authority_is_named_with_what_to_set(
    house: Callable, provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority()
    file = tmp_path / "authority.pem"
    file.write_bytes(authority.pem)
    with ScriptedModel([Reply(text="ready")], tls=authority.context("127.0.0.1")) as model:
        settings = {
            **PROVIDERS[provider],
            "base_url": model.root if provider in ("anthropic", "ollama", "azure") else model.base_url,
        }
        refused = tried(house, settings)
        assert not refused.ok
        assert "SSL_CERT_FILE or models.x.ca_file" in str(refused.detail)
        assert "self-signed" in str(refused.detail) or "unable to get local issuer" in str(refused.detail)
        assert str(tried(house, {**settings, "ca_file": str(file)}).detail) == "It said: ready"
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        assert str(tried(house, settings).detail) == "It said: ready"


def test_a_file_of_certificates_that_is_none_is_named(house: Callable, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    for file in (tmp_path / "empty.pem", tmp_path / "missing.pem"):
        trial = tried(house, {**PROVIDERS["openai-compatible"], "base_url": nobody_there(), "ca_file": str(file)})
        assert not trial.ok
        assert f"models.x.ca_file {file}" in str(trial.detail)


def test_https_where_http_is_spoken(house: Callable) -> None:
    with ScriptedModel() as model:
        address = model.base_url.replace("http:", "https:")
        trial = tried(house, {**PROVIDERS["openai-compatible"], "base_url": address})
    assert not trial.ok
    assert "http or https" in str(trial.detail)


@every_provider
@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_what_runs_on_this_machine_is_asked_without_a_proxy(
    house: Callable, provider: str, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = urlsplit(nobody_there()).netloc
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"{scheme}://{proxy}")
    with ScriptedModel([Reply(text="ready")]) as model:
        base = model.root if provider in ("anthropic", "ollama", "azure") else model.base_url
        assert str(tried(house, {**PROVIDERS[provider], "base_url": base}).detail) == "It said: ready"


@every_provider
def test_a_proxy_that_is_in_the_way_is_named_without_its_password(
    house: Callable, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = urlsplit(nobody_there()).netloc
    settings = {**PROVIDERS[provider], "base_url": "http://model.example/v1"}
    for name, scheme in (("HTTP_PROXY", "http"), ("ALL_PROXY", "socks5")):
        with monkeypatch.context() as patch:
            patch.setenv(name, f"{scheme}://me:pass-word@{nobody}")
            trial = tried(house, settings)
        assert not trial.ok
        assert f"through the proxy {scheme}://{nobody}" in str(trial.detail)
        assert "NO_PROXY" in str(trial.detail)
        assert "pass-word" not in str(trial.detail)


def test_what_a_proxy_answers_names_it(house: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {**PROVIDERS["openai-compatible"], "base_url": "http://model.example/v1"}
    with ScriptedModel([Reply(text="ready"), Reply(status=503)]) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.root)
        assert str(tried(house, settings).detail) == "It said: ready"
        trial = tried(house, settings)
    assert not trial.ok
    assert f"It was asked through the proxy {proxy.root}." in str(trial.detail)


def test_a_proxy_that_is_no_address_is_named(house: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "gopher://proxy.example")
    for settings in PROVIDERS.values():
        trial = tried(house, {**settings, "base_url": "http://model.example/v1"})
        assert not trial.ok
        assert "ALL_PROXY" in str(trial.detail)


@pytest.mark.parametrize("key", ["sk-very-secret\n", "sk-very-secret\r\n", " sk-very-secret", "sk-véry-secret"])
def test_a_key_that_no_request_can_carry_is_a_mistake_in_the_settings(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "chatbot.toml").write_text('[models.x]\nprovider = "openai"\nmodel = "m"\n')
    monkeypatch.setenv("CHATBOT_CONFIG", str(tmp_path / "chatbot.toml"))
    monkeypatch.setenv("CHATBOT_MODELS__X__API_KEY", key)
    with pytest.raises(ConfigError, match=r"models\.x\.api_key .*line end") as raised:
        load()
    assert "CHATBOT_MODELS__X__API_KEY" in str(raised.value)
    assert "very-secret" not in str(raised.value)


@pytest.mark.parametrize("variable", ["OPENAI_API_KEY", "ANTHROPIC_API_KEY"])
def test_a_key_of_the_providers_own_variable_with_a_line_end(
    house: Callable, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "sk-very-secret\n")
    with ScriptedModel() as model:
        provider = variable.partition("_")[0].lower()
        base = model.root if provider == "anthropic" else model.base_url
        trial = tried(house, {"provider": provider, "model": "m", "base_url": base})
    assert not trial.ok
    assert "line end" in str(trial.detail)
    assert "very-secret" not in str(trial.detail)


def test_a_server_that_redirects_is_followed(house: Callable) -> None:
    with odd_models() as server:
        assert tried(house, server.settings("redirected")).ok
