"""The command line through its own entry: what it prints, what it returns, and both ways it reaches the product."""

import io
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from devops_chatbot.cli.commands import EXIT_CODES, exit_code, run
from devops_chatbot.client.client import Client
from devops_chatbot.config.data_directory import Address, open_data_directory
from devops_chatbot.errors import ConfigError, ModelUnavailable, NotFound, TooLarge

DISK = "# DiskFull\n\nThe alert DiskFull fires when the disk is full. Delete old logs with `journalctl --vacuum-size=1G`.\n"


@pytest.fixture
def cli(url: str, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs a command against a server of the whole product."""

    def call(*arguments: str) -> tuple[int, str, str]:
        code = run(["--url", url, *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    (folder / "sub").mkdir(parents=True)
    (folder / "disk.md").write_text(DISK)
    (folder / "sub" / "clock.md").write_text("# Clock\n\nRestart chrony.\n")
    (folder / ".hidden.md").write_text("# Hidden\n")
    (folder / "broken.pdf").write_bytes(b"\x00\x01")
    return folder


def test_from_a_folder_to_an_answer(cli, docs: Path) -> None:
    code, out, _ = cli("kb", "create", "运行手册", "--description", "What to do")
    assert code == 0
    assert "运行手册" in out
    code, out, _ = cli("kb", "add", "运行手册", str(docs))
    assert code == 0
    assert "2 added, 1 failed" in out
    assert "docs/broken.pdf" in out
    code, out, _ = cli("kb", "list")
    assert "运行手册" in out
    code, out, _ = cli("kb", "documents", "运行手册", "--state", "ready")
    assert "docs/disk.md" in out
    assert "docs/sub/clock.md" in out
    assert "hidden" not in out
    code, out, err = cli("kb", "search", "运行手册", "DiskFull", "--limit", "1")
    assert "docs/disk.md" in out
    assert "lexical 1" in out
    assert "1 hits" in err
    code, out, err = cli("ask", "What should I do when DiskFull fires?", "--kb", "运行手册")
    assert code == 0
    assert "[1]" in out
    assert "docs/disk.md" in out
    assert "docs" in err, "the route stands beside the answer, not in it"
    assert "--thread" in err


def test_json_is_what_the_route_returned(cli, docs: Path) -> None:
    made = json.loads(cli("kb", "create", "Runbooks", "--json")[1])
    assert made["name"] == "Runbooks"
    job = json.loads(cli("kb", "add", "Runbooks", str(docs / "disk.md"), "--json")[1])
    assert (job["state"], job["progress"]["counts"]) == ("done", {"added": 1})
    assert json.loads(cli("kb", "list", "--json")[1])["items"][0]["id"] == made["id"]
    documents = json.loads(cli("kb", "documents", "Runbooks", "--json")[1])
    assert documents["total"] == 1
    hits = json.loads(cli("kb", "search", "Runbooks", "DiskFull", "--json")[1])["hits"]
    assert hits[0]["source_uri"] == "disk.md"
    answer = json.loads(cli("ask", "What is DiskFull?", "--json")[1])
    assert answer["citations"][0]["source_uri"] == "disk.md"
    assert json.loads(cli("models", "list", "--json")[1])["models"][0]["name"] == "extractive"
    assert json.loads(cli("models", "test", "extractive", "--json")[1])["ok"] is True
    assert json.loads(cli("settings", "--json")[1])["settings"]
    assert json.loads(cli("doctor", "--json")[1])["ready"] is True


def test_a_question_can_come_from_standard_input(cli, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cli("kb", "create", "Runbooks")
    cli("kb", "add", "Runbooks", str(docs))
    for arguments in (["ask"], ["ask", "-"]):
        monkeypatch.setattr(sys, "stdin", io.StringIO("What is DiskFull?"))
        code, out, _ = cli(*arguments)
        assert code == 0
        assert "disk.md" in out


def test_text_that_is_no_utf_8_is_read_as_far_as_it_goes(cli, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cli("kb", "create", "Runbooks")
    cli("kb", "add", "Runbooks", str(docs))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"caf\xe9: what is DiskFull?"), "utf-8"))
    assert "disk.md" in cli("ask")[1]
    assert "disk.md" in cli("ask", "caf\udce9: what is DiskFull?")[1]
    assert "disk.md" in cli("kb", "search", "Runbooks", "caf\udce9 DiskFull")[1]
    code, _, err = cli("kb", "create", "caf\udce9")
    assert (code, "half of a character" in err) == (1, True)
    assert cli("kb", "documents", "caf\udce9")[0] == 1


def test_a_conversation_goes_on(cli, docs: Path) -> None:
    cli("kb", "create", "Runbooks")
    cli("kb", "add", "Runbooks", str(docs))
    _, _, err = cli("ask", "What is DiskFull?")
    thread = err.rpartition("--thread ")[2].split()[0]
    code, _, err = cli("ask", "--thread", thread, "Which command deletes old logs?")
    assert code == 0
    assert "--thread" not in err


def test_tables_of_health_settings_and_models(cli) -> None:
    assert "records" in cli("doctor")[1]
    assert "data_dir" in cli("settings")[1]
    assert "extractive" in cli("models")[1]
    assert "extractive" in cli("models", "use", "answer", "extractive")[2]
    assert "answer: no language model" in cli("models", "use", "answer")[2], "as the settings say"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["ask", "x", "--kb", "nothing"], 1, "nothing"),
        (["ask", "  "], 1, ""),
        (["kb", "documents", "nothing"], 1, "nothing"),
        (["kb", "create", ""], 1, "name"),
        (["kb", "create", "x", "--embedding", "nothing"], 1, "bundled"),
        (["kb", "add", "nothing", "/nowhere.md"], 1, "nothing"),
        (["kb", "documents", "x", "--state", "odd"], 1, "odd"),
        (["kb", "delete"], 1, "--help"),
        (["nonsense"], 1, "nonsense"),
        (["ask", "x", "--limit", "0"], 1, "limit"),
        (["models", "test", "nothing"], 1, "nothing"),
    ],
)
def test_what_is_wrong_is_said_on_standard_error(cli, arguments: list[str], code: int, said: str) -> None:
    got, out, err = cli(*arguments)
    assert got == code
    assert err.startswith("Error: ")
    assert said in err
    assert not out


def test_a_refused_question_leaves_no_conversation(cli, url: str) -> None:
    assert cli("ask", "x", "--kb", "nothing")[0] == 1
    assert cli("ask", " ")[0] == 1
    with Client(url) as client:
        assert client.threads().total == 0


def test_a_knowledge_base_is_renamed_emptied_and_deleted(cli, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cli("kb", "create", "Runbooks")
    cli("kb", "add", "Runbooks", str(docs / "disk.md"))
    assert cli("kb", "rename", "Runbooks", "Manual")[0] == 0
    document = json.loads(cli("kb", "documents", "Manual", "--json")[1])["items"][0]["id"]
    assert cli("kb", "remove", "Manual", document)[0] == 0
    assert json.loads(cli("kb", "documents", "Manual", "--json")[1])["total"] == 0
    assert cli("kb", "remove", "Manual", document)[0] == 1, "there is no such document any more"
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    code, _, err = cli("kb", "delete", "Manual")
    assert (code, "--yes" in err) == (1, True)
    assert cli("kb", "delete", "Manual", "--yes")[0] == 0
    assert json.loads(cli("kb", "list", "--json")[1])["items"] == []


def test_nothing_but_broken_files_is_an_error(cli, docs: Path) -> None:
    cli("kb", "create", "Runbooks")
    code, out, _ = cli("kb", "add", "Runbooks", str(docs / "broken.pdf"))
    assert code == 1
    assert "broken.pdf" in out
    assert cli("kb", "add", "Runbooks", str(docs / "missing.md"))[0] == 1
    (docs / "empty").mkdir()
    assert "no file" in cli("kb", "add", "Runbooks", str(docs / "empty"))[2]


def test_a_followed_folder_is_named_by_its_path_on_the_server(cli, allowed: Path) -> None:
    (allowed / "disk.md").write_text(DISK)
    cli("kb", "create", "Folder")
    code, out, _ = cli("kb", "add", "Folder", str(allowed), "--follow")
    assert (code, "1 added" in out) == (0, True)
    code, _, err = cli("kb", "add", "Folder", "/etc", "--follow")
    assert (code, "knowledge.folders" in err) == (1, True)


@pytest.mark.service
def test_without_a_server_the_command_works_by_itself(tmp_path: Path, embedding_cache: Path, capsys) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "embeddings").symlink_to(embedding_cache)
    (tmp_path / "disk.md").write_text(DISK)
    assert run(["kb", "create", "Runbooks"]) == 0
    assert run(["kb", "add", "Runbooks", str(tmp_path / "disk.md")]) == 0
    capsys.readouterr()
    assert run(["ask", "What is DiskFull?"]) == 0
    assert "disk.md" in capsys.readouterr().out
    assert run(["doctor"]) == 0
    assert "No server runs" in capsys.readouterr().err


def test_an_owned_directory_without_an_address_is_unavailable(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr("devops_chatbot.cli.connection.PATIENCE_S", 0.1)
    data = open_data_directory(tmp_path / "data")
    assert run(["kb", "list"]) == 3
    assert "pid" in capsys.readouterr().err
    data.close()


@pytest.mark.service
def test_a_command_waits_for_another_one_to_end(tmp_path: Path) -> None:
    data = open_data_directory(tmp_path / "data")
    ended = threading.Timer(0.5, data.close)
    ended.start()
    try:
        assert run(["kb", "list"]) == 0
    finally:
        ended.join()


def test_no_server_at_the_named_address_is_unavailable(capsys) -> None:
    assert run(["--url", "http://127.0.0.1:9", "kb", "list"]) == 3
    assert "devops-chatbot serve" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["nonsense", "ftp://127.0.0.1", "http://a:b"])
def test_an_address_that_is_none_is_said_plainly(address: str, capsys) -> None:
    assert run(["--url", address, "kb", "list"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("Error: ")
    assert repr(address) in said


@pytest.mark.service
def test_a_command_waits_for_the_server_that_is_starting(tmp_path: Path, url: str, monkeypatch) -> None:
    monkeypatch.setenv("CHATBOT_DATA_DIR", str(tmp_path / "starting"))
    data = open_data_directory(tmp_path / "starting")
    started = threading.Timer(1, data.publish, [Address(api=url, ui=None, pid=0)])
    started.start()
    try:
        assert run(["kb", "list"]) == 0
    finally:
        started.join()
        data.close()


def test_a_group_without_a_command_shows_its_help(capsys) -> None:
    for arguments in ([], ["kb"]):
        assert run(arguments) == 1
        printed = capsys.readouterr()
        assert printed.err.startswith("Usage: devops-chatbot")
        assert not printed.out


def test_the_version_is_that_of_the_package(capsys) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.strip() == version("devops-chatbot")


def test_wrong_settings_are_exit_2(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setenv("CHATBOT_NONSENSE", "1")
    assert run(["kb", "list"]) == 2
    assert "CHATBOT_NONSENSE" in capsys.readouterr().err


def test_every_error_has_an_exit_code() -> None:
    assert exit_code(NotFound) == exit_code(TooLarge) == 1
    assert exit_code(ConfigError) == 2
    assert exit_code(ModelUnavailable) == 3
    assert set(EXIT_CODES.values()) == {1, 2, 3, 4}


def test_help_is_quick_and_says_the_exit_codes() -> None:
    code = (
        "import sys; from devops_chatbot.cli.commands import run; code = run(['--help']);"
        "heavy = {'fastapi', 'sqlalchemy', 'chromadb', 'langchain_core', 'streamlit', 'onnxruntime', 'dbos'};"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Exit codes" in done.stdout


MOMENTS = {
    "while a module is looked for": "interrupt()",
    "in a callback of the interpreter, which drops exceptions": (
        "class Gone: pass\ngone = Gone()\nleft = weakref.ref(gone, lambda _: interrupt())\ndel gone"
    ),
    "when the command has begun": "sys.settrace(lambda frame, *_: interrupt() if frame.f_code.co_name == 'run' else None)",
    "when the command has ended": "atexit.register(interrupt)",
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_ctrl_c_at_any_moment_of_the_start_is_130_without_a_traceback(moment: str) -> None:
    code = (
        "import atexit, signal, sys, weakref\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # whoever runs these tests may have it ignored
        "def interrupt(): signal.raise_signal(signal.SIGINT)\n"
        "seen = []\n"
        "class Interrupted:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name.startswith('devops_chatbot.cli.') and not seen: seen.append(name); exec(MOMENT, globals())\n"
        "sys.meta_path.insert(0, Interrupted())\n"
        "from devops_chatbot.cli import main\n"
        f"MOMENT = {MOMENTS[moment]!r}\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code, "--version"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "")


def test_a_background_job_goes_on_when_its_shell_is_interrupted() -> None:
    code = (
        "import signal\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "from devops_chatbot.cli import main\n"
        "import devops_chatbot.cli.commands as commands\n"
        "commands.run = lambda _: signal.raise_signal(signal.SIGINT)\n"
        "main()\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_question_sets_its_own_search_and_history(cli, docs: Path) -> None:
    cli("kb", "create", "Runbooks")
    cli("kb", "add", "Runbooks", str(docs))
    _, _, err = cli("ask", "What is DiskFull?")
    thread = err.rpartition("--thread ")[2].split()[0]
    follow_up = ("ask", "--thread", thread, "--json", "how do I fix it?")
    assert json.loads(cli(*follow_up)[1])["citations"][0]["source_uri"].endswith("docs/disk.md")
    assert not json.loads(cli(*follow_up, "--history", "0")[1])["citations"]
    assert cli("kb", "search", "Runbooks", "DiskFull logs", "--mode", "lexical", "--json")[0] == 0
    every = json.loads(cli("kb", "search", "Runbooks", "How is the clock or disk?", "--json")[1])["hits"]
    least = str(every[0]["score"])
    above = json.loads(cli("kb", "search", "Runbooks", "How is the clock or disk?", "--threshold", least, "--json")[1])
    assert 0 < len(above["hits"]) < len(every)
    assert cli("ask", "What is DiskFull?", "--threshold", "2")[0] == 1
