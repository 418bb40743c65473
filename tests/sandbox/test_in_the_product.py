"""The sandbox through the product's own doors: the command line, the routes, and their behaviour without an engine."""

import io
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from patience import PATIENCE_S

from devops_chatbot.cli.commands import run
from sandbox.docker.image_build import Image
from sandbox.http.remote import RemoteSandbox, ServerAddress
from sandbox.model import Limits


def test_without_an_engine_everything_else_works(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CHATBOT_SANDBOX__ENGINE", "unix:///nonexistent.sock")
    assert run(["sandbox", "status"]) == 3
    assert "does not answer" in capsys.readouterr().err
    assert run(["kb", "list", "--json"]) == 0
    capsys.readouterr()
    assert run(["doctor", "--json"]) == 0
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert checks["sandbox"]["state"] == "disabled"
    assert "does not answer" in checks["sandbox"]["why"]["text"]


def test_the_operator_may_switch_it_off(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("CHATBOT_SANDBOX__ENABLED", "false")
    assert run(["sandbox", "selftest"]) == 3
    assert "switched off" in capsys.readouterr().err


@pytest.mark.parametrize("engine", ["https://127.0.0.1:2376", "ssh://somebody@127.0.0.1", "tcp://127.0.0.1:2376"])
def test_an_engine_that_sessions_cannot_speak_to_is_refused_in_words(
    engine: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (tmp_path / name).touch()
    monkeypatch.setenv("CHATBOT_SANDBOX__ENGINE", engine)
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1" if engine.startswith("tcp") else "")
    assert run(["sandbox", "status"]) == 3
    assert "sandbox serve" in capsys.readouterr().err


def test_a_sandbox_server_is_not_open_to_everybody(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CHATBOT_SANDBOX__SERVE__HOST", "0.0.0.0")
    assert run(["sandbox", "serve"]) == 2
    assert "sandbox.serve.token" in capsys.readouterr().err


def test_a_port_that_is_taken_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("CHATBOT_SANDBOX__SERVE__PORT", str(taken.getsockname()[1]))
        assert run(["sandbox", "serve"]) == 2
    assert "CHATBOT_SANDBOX__SERVE__PORT" in capsys.readouterr().err


def test_results_cannot_be_kept_where_a_file_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "code.py").touch()
    assert run(["sandbox", "run", str(tmp_path / "code.py"), "--out", str(tmp_path / "file")]) == 1
    assert "cannot be a folder: File exists" in capsys.readouterr().err


@pytest.mark.service
class TestOnARealEngine:
    """With the image built."""

    def test_a_sandbox_server_says_where_it_is(self, image: Image) -> None:
        command = [sys.executable, "-m", "devops_chatbot.cli", "sandbox", "serve"]
        environment = os.environ | {"CHATBOT_SANDBOX__SERVE__PORT": "0"}
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout is not None
                said = server.stdout.readline()
                found = re.search(r"http://127\.0\.0\.1:[1-9]\d*", said)
                assert found is not None, said
                assert httpx.get(f"{found[0]}/healthz", timeout=PATIENCE_S).json() == {"status": "ok"}
            finally:
                server.terminate()

    def test_code_from_a_file_and_its_exit_code(
        self, image: Image, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        code = tmp_path / "code.js"
        code.write_text("console.log([1, 2].map(x => x * 2)); process.exitCode = 5", "utf-8")
        assert run(["sandbox", "run", str(code)]) == 5
        assert capfd.readouterr().out == "[ 2, 4 ]\n"

    def test_code_from_standard_input_as_json(
        self, image: Image, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO("print('嗨')"))
        assert run(["sandbox", "run", "--json"]) == 0
        assert json.loads(capfd.readouterr().out)["stdout"] == "嗨\n"

    def test_a_timeout_and_kept_files(
        self, image: Image, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO("open('made.txt', 'w').write('x')\nwhile True: pass"))
        assert run(["sandbox", "run", "--timeout", "0.5", "--out", str(tmp_path / "out")]) == 130
        assert "ran out of time" in capfd.readouterr().err
        assert (tmp_path / "out" / "made.txt").read_text() == "x"

    def test_java_in_a_session_keeps_its_variables(self, image: Image, capfd: pytest.CaptureFixture[str]) -> None:
        from sandbox.docker.engine import Engine
        from sandbox.docker.local import LocalSandbox, SessionPolicy

        sandbox = LocalSandbox(Engine(), owner=f"tests-languages-{os.getpid()}", policy=SessionPolicy(warm_most=0))
        session = sandbox.open(Limits(seconds=600), language="java")
        try:
            assert session.run("int x = 41;").exit_code == 0
            assert session.run("System.out.println(x + 1);").stdout == "42\n"
            thrown = session.run(
                'public class Main { public static void main(String[] a) { throw new RuntimeException("no"); } }'
            )
            assert thrown.exit_code == 1
            assert "RuntimeException: no" in thrown.stderr
            assert session.run("System.exit(3);").exit_code == 3
            assert "incompatible types" in session.run('int y = "a";').stderr
            assert session.run("while (true);", timeout_s=1).timed_out
            for text, out in (("const a = 1; let b = 2", ""), ("const a = 5; console.log(a + b)", "7\n")):
                assert session.run(text, language="js").stdout == out
            late = session.run(
                "setTimeout(() => console.log('late'), 50); await 1; console.log('first')", language="node"
            )
            assert late.stdout == "first\nlate\n"
            assert session.run("null.x", language="node").exit_code == 1
            busy = session.run("while (true) {}", language="node", timeout_s=0.5)
            assert busy.timed_out
            assert not busy.state_lost
            assert session.run("console.log(b)", language="node").stdout == "2\n"
        finally:
            sandbox.close()

    def test_a_second_server_on_a_port_leaves_the_sessions_of_the_first_alone(
        self, image: Image, tmp_path: Path
    ) -> None:
        command = [sys.executable, "-m", "devops_chatbot.cli", "sandbox", "serve"]
        environment = {**os.environ, "CHATBOT_DATA_DIR": str(tmp_path), "CHATBOT_SANDBOX__SERVE__PORT": "0"}
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as first:
            try:
                assert first.stdout is not None
                found = re.search(r"on (http://127.0.0.1:([1-9]\d*)):", first.stdout.readline())
                assert found
                session = RemoteSandbox([ServerAddress(url=found[1])]).open()
                assert session.run("x = 41").exit_code == 0
                taken = {**environment, "CHATBOT_SANDBOX__SERVE__PORT": found[2]}
                second = subprocess.run(
                    command, env=taken, capture_output=True, text=True, timeout=PATIENCE_S, check=False
                )
                assert second.returncode == 2
                assert f"sandbox.serve.port is {found[2]}" in second.stderr
                assert second.stdout == ""
                after = session.run("print(x + 1)")
                assert (after.stdout, after.state_lost) == ("42\n", False)
            finally:
                first.terminate()

    def test_the_self_test_holds(self, image: Image, capfd: pytest.CaptureFixture[str]) -> None:
        code = run(["sandbox", "selftest", "--json"])
        rows = json.loads(capfd.readouterr().out)["items"]
        assert [row["attack"]["text"] for row in rows if not row["held"]] == []
        assert code == 0
        assert len(rows) >= 30
        assert sum(row["control"]["code"] == "attack.succeeds" for row in rows) >= 20
