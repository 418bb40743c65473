"""The pages without a browser: Streamlit's own test of a script, against the real API over a real socket."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE_S
from served_pages import RUNBOOK, fill
from streamlit.testing.v1 import AppTest
from whole_product import running

import webui
from devops_chatbot.api.app import create_app
from devops_chatbot.bootstrap import build
from devops_chatbot.client.client import Client
from devops_chatbot.config.data_directory import open_data_directory
from devops_chatbot.config.settings import load
from knowledge.model import KnowledgeBase

APP = Path(str(webui.__file__)).parent / "app.py"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the server that may be followed, with one runbook."""
    folder = tmp_path_factory.mktemp("followed").resolve()
    (folder / "etcd.md").write_text(RUNBOOK)
    return folder


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, embedding_cache: Path, folder: Path) -> Iterator[Client]:
    """A client of one API that all of these tests share; each makes what it looks at."""
    home = tmp_path_factory.mktemp("pages")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHATBOT_DATA_DIR", str(home))
        patch.setenv("CHATBOT_KNOWLEDGE__FOLDERS", f'["{folder}"]')
        (home / "embeddings").symlink_to(embedding_cache)
        settings = load()
        data = open_data_directory(settings.data_dir)
        with running(create_app(build(settings, data))) as url, Client(url) as client:
            yield client
        data.close()


@pytest.fixture(autouse=True)
def _pages_of_this_api(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHATBOT_API_URL", client.url)


@pytest.fixture
def base(client: Client, request: pytest.FixtureRequest) -> KnowledgeBase:
    """A knowledge base of this test's own, with one runbook."""
    return fill(client, f"Runbooks of {request.node.name}"[:90])


def app(**state: object) -> AppTest:
    """The whole app, at the chat, in English."""
    test = AppTest.from_file(str(APP), default_timeout=PATIENCE_S)
    test.session_state["language"] = "en"
    for name, value in state.items():
        test.session_state[name] = value
    return test.run()


def page(name: str, **query: str) -> AppTest:
    """One page by itself."""

    def script(name: str) -> None:
        from webui.app_pages.registry import PAGES
        from webui.components.places import lay_out

        lay_out(PAGES)
        next(each.show for each in PAGES if each.name == name)()

    test = AppTest.from_function(script, args=(name,), default_timeout=PATIENCE_S)
    test.session_state["language"] = "en"
    for key, value in query.items():
        test.query_params[key] = value
    return test.run()


def html(test: AppTest) -> str:
    return "\n".join(str(element.proto.body) for element in test.get("html"))


def click(test: AppTest, key: str) -> AppTest:
    test.button(key=key).click()
    return test.run()


def markdown(test: AppTest) -> str:
    return "\n".join(element.value for element in test.markdown)


def keys(test: AppTest) -> set[str]:
    return {str(button.key) for button in test.button}


def test_a_question_becomes_a_conversation_with_an_answer_that_can_be_opened(
    client: Client, base: KnowledgeBase
) -> None:
    test = app()
    test.chat_input[0].set_value("What does EtcdSlowDisk mean?").run()
    assert not test.exception
    assert "#cite-" in markdown(test)
    thread = client.threads().items[0]
    assert test.query_params["thread"] == thread.id
    cited = next(key for key in keys(test) if key.startswith("cite_"))
    click(test, cited)
    assert 'class="hit"' in html(test)
    click(test, "passage_close")
    assert 'class="hit"' not in html(test)


def test_a_model_that_is_not_there_any_more_is_not_asked(client: Client, base: KnowledgeBase) -> None:
    test = app(ask_model="gone")
    assert test.session_state["ask_model"] == ""
    test.chat_input[0].set_value("EtcdSlowDisk").run()
    assert not test.exception
    assert not test.error


def test_conversations_stand_in_the_sidebar_under_their_titles(client: Client) -> None:
    thread = client.create_thread("Old title")
    test = app()
    links = [str(link.proto.label) for link in test.sidebar.get("page_link")]
    assert "Old title" in links
    client.rename_thread(thread.id, "*New* title")
    test.run()
    links = [str(link.proto.label) for link in test.sidebar.get("page_link")]
    assert "\\*New\\* title" in links  # a title is text, never markup


def test_a_conversation_that_is_gone_leads_to_a_new_one(client: Client) -> None:
    test = AppTest.from_file(str(APP), default_timeout=PATIENCE_S)
    test.session_state["language"] = "en"
    test.query_params["thread"] = "t-gone"
    test.run()
    assert not test.exception
    assert "thread" not in test.query_params


def test_the_knowledge_page_shows_files_with_state_and_reason(client: Client, base: KnowledgeBase) -> None:
    run = client.upload(base.id, [("empty.md", b""), ("<b>odd</b>.md", RUNBOOK.encode())])
    while not client.run(run.id).ended:
        time.sleep(0.05)
    test = page("knowledge", kb=base.id)
    assert not test.exception
    shown = html(test)
    assert "EtcdSlowDisk.md" in shown
    test = page("knowledge", kb=base.id)
    test.session_state["runs"] = {base.id: run.id}
    test.run()
    assert "1 not readable" in test.warning[0].value
    assert "The file is empty." in shown
    assert "&lt;b&gt;odd&lt;/b&gt;.md" in shown
    assert "3 documents" in shown
    document = client.documents(base.id, text="EtcdSlowDisk").items[0]
    assert f"EtcdSlowDisk · markdown · {document.version[:8]}" in shown


def test_several_documents_are_downloaded_as_one_zip(client: Client, base: KnowledgeBase) -> None:
    run = client.upload(base.id, [("more/other.md", RUNBOOK.encode())])
    while not client.run(run.id).ended:
        time.sleep(0.05)
    test = page("knowledge", kb=base.id)
    for document in client.documents(base.id).items:
        test.checkbox(f"pick_{document.id}").check()
    test.run()
    click(test, "download_many")
    assert not test.exception
    assert ".zip" in "".join(text.value for text in test.text)


def test_a_followed_folder_can_be_let_go(client: Client, folder: Path) -> None:
    base = client.create_knowledge_base("Followed")
    run = client.follow(base.id, str(folder))
    while not client.run(run.id).ended:
        time.sleep(0.05)
    test = page("knowledge", kb=base.id)
    test.session_state[f"tab_{base.id}"] = "add"
    test.run()
    assert str(folder) in html(test)
    click(test, "forget_0")
    assert not test.exception
    assert client.sources(base.id) == []
    assert client.documents(base.id).total == 1


def test_a_folder_that_the_settings_do_not_allow_is_refused_in_words(client: Client, base: KnowledgeBase) -> None:
    test = page("knowledge", kb=base.id)
    test.session_state[f"tab_{base.id}"] = "add"
    test.run()
    test.text_input[0].set_value("/etc")
    next(button for button in test.button if button.label == "Add folder").click()
    test.run()
    assert not test.exception
    assert "knowledge.folders" in "".join(error.value.replace("\\", "") for error in test.error)
    assert client.documents(base.id).total == 1


def test_a_search_says_which_index_found_what(client: Client, base: KnowledgeBase) -> None:
    test = page("knowledge", kb=base.id)
    test.session_state[f"tab_{base.id}"] = "try"
    test.run()
    test.text_input(key="search_text").set_value("EtcdSlowDisk")
    next(button for button in test.button if button.label == "Search").click()
    test.run()
    assert not test.exception
    assert "Words #1" in html(test)
    click(test, "open_hit_1")
    assert 'class="hit"' in html(test)


def test_the_status_page_has_something_to_say_in_each_section(client: Client, base: KnowledgeBase) -> None:
    test = page("status")
    said = {"health": "Vector index", "models": "extractive", "runs": base.name, "settings": "environment"}
    for section, words in said.items():
        test.session_state["status_section"] = section
        test.run()
        assert not test.exception
        assert words in html(test)


def test_everything_is_tested_by_one_button(client: Client, base: KnowledgeBase) -> None:
    test = page("status")
    assert "opened on first use" in html(test)
    click(test, "test_all")
    assert not test.exception
    assert "opened on first use" not in html(test)
    assert html(test).count("opened;") == 3
    assert "384 dimensions" in html(test)


def test_an_embedding_model_is_tested_by_its_button(client: Client) -> None:
    test = page("status")
    test.session_state["status_section"] = "models"
    test.run()
    click(test, "test_embedding_bundled")
    assert not test.exception
    assert "Works" in html(test)
    assert client.test_embedding("bundled").ok


def test_a_server_that_does_not_answer_is_named_with_the_command_that_starts_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CHATBOT_API_URL", "http://127.0.0.1:9")
    test = app()
    assert not test.exception
    assert "devops-chatbot serve" in markdown(test).replace("\\", "")


def test_chinese_comes_from_the_same_catalogue(client: Client, base: KnowledgeBase) -> None:
    assert any(each.id == base.id for each in client.knowledge_bases())
    test = app(language="zh")
    assert "今天要解决什么问题？" in html(test)


def test_the_browser_does_not_decide_what_is_said_of_a_foreign_language(client: Client) -> None:
    state: dict[str, Any] = {"language": "xx"}
    test = app(**state)
    assert not test.exception
    assert client.alive()


def test_a_role_is_switched_and_given_back_to_the_settings(client: Client) -> None:
    test = page("status")
    test.session_state["status_section"] = "models"
    test.run()
    test.multiselect("role_answer").set_value(["extractive"])
    next(button for button in test.button if button.label == "Save").click()
    test.run()
    assert client.models().roles["answer"] == ("extractive",)
    test = page("status")
    test.session_state["status_section"] = "settings"
    test.run()
    assert "chosen here" in html(test)
    test = page("status")
    test.session_state["status_section"] = "models"
    test.run()
    next(button for button in test.button if button.label == "As in the settings").click()
    test.run()
    assert not test.exception
    assert client.models().roles["answer"] == ()
    assert test.multiselect("role_answer").value == []
