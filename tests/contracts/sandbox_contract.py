"""What every sandbox does, wherever its engine is."""

import json
import time
from collections.abc import Callable, Iterator

import pytest

from devops_chatbot.errors import BadRequest, Conflict, NotFound, TooLarge
from sandbox.model import Artifact, Limits, OutputChunk, Sandbox, Session, Watch


def at_first(act: Callable[[], object]) -> Watch:
    """Acts when the first piece of output comes: the code has begun then."""
    begun = False

    def watch(_: OutputChunk | Artifact) -> None:
        nonlocal begun
        if not begun:
            begun = True
            act()

    return watch


class SandboxContract:
    """A backend adopts it with a fixture `sandbox`."""

    @pytest.fixture
    def session(self, sandbox: Sandbox) -> Iterator[Session]:
        session = sandbox.open(Limits(seconds=600))
        yield session
        session.close()

    def test_it_is_ready_and_says_with_what(self, sandbox: Sandbox) -> None:
        ready = sandbox.ready()
        assert {"python", "shell"} <= set(ready.languages)
        assert ready.digest.startswith("sha256:")
        assert ready.version

    def test_state_lives_between_runs(self, session: Session) -> None:
        session.run("import os\nx = 41\nos.makedirs('d')\nos.chdir('d')\nopen('f', 'w').write('kept')")
        again = session.run("print(x + 1, os.getcwd().endswith('/d'), open('f').read())")
        assert (again.exit_code, again.stdout, again.stderr) == (0, "42 True kept\n", "")
        assert not again.state_lost

    def test_languages_share_the_files_of_a_session(self, session: Session) -> None:
        session.run("open('from_python', 'w').write('hello')")
        assert session.run("X=1; cat from_python", language="shell").stdout == "hello"
        assert session.run("echo $X", language="bash").stdout == "1\n"

    def test_the_last_expression_is_shown(self, session: Session) -> None:
        assert session.run("6 * 7").stdout == "42\n"

    def test_a_failing_program_is_a_value(self, session: Session) -> None:
        failed = session.run("def f():\n    return 1 / 0\nf()")
        assert failed.exit_code == 1
        assert failed.stderr.endswith("ZeroDivisionError: division by zero\n")
        assert "return 1 / 0" in failed.stderr
        assert "driver" not in failed.stderr
        assert session.run("def g(:").exit_code == 1
        assert session.run("import sys; sys.exit(3)").exit_code == 3
        assert session.run("import sys; sys.exit('bye')").stderr == "bye\n"
        assert session.run("false; exit 4", language="shell").exit_code == 4

    def test_a_pipe_that_ends_early_is_nothing_to_speak_of(self, session: Session) -> None:
        ended = session.run("yes | head -1; seq 1000000 | head -1", language="shell")
        assert (ended.exit_code, ended.stdout, ended.stderr) == (0, "y\n1\n", "")

    def test_localhost_is_known_and_no_terminal_is_at_hand(self, session: Session) -> None:
        code = "import socket; print(socket.gethostbyname('localhost'), socket.gethostbyname('sandbox'))"
        assert session.run(code).stdout.startswith("127.0.0.1 ")
        assert session.run("exec 5</dev/tty", language="shell").exit_code != 0

    def test_output_comes_as_it_is_written(self, session: Session) -> None:
        moments: list[tuple[float, str]] = []

        def watch(piece: OutputChunk | Artifact) -> None:
            assert isinstance(piece, OutputChunk)
            moments.append((time.monotonic(), f"{piece.stream}:{piece.text}"))

        code = "import sys, time\nfor i in range(3):\n    print(i)\n    time.sleep(0.2)\nprint('e', file=sys.stderr)"
        execution = session.run(code, watch=watch)
        assert [text for _, text in moments] == ["stdout:0\n", "stdout:1\n", "stdout:2\n", "stderr:e\n"]
        assert moments[-1][0] - moments[0][0] > 0.4
        assert execution.stdout == "0\n1\n2\n"
        assert execution.stderr == "e\n"

    def test_a_deadline_ends_a_run_and_keeps_the_variables(self, session: Session) -> None:
        session.run("x = 5")
        execution = session.run("while True: pass", timeout_s=0.5)
        assert execution.timed_out
        assert execution.exit_code == 130
        assert session.run("print(x)").stdout == "5\n"

    def test_code_that_ignores_its_deadline_is_ended(self, session: Session) -> None:
        code = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: time.sleep(1)"
        execution = session.run(code, timeout_s=0.3)
        assert execution.timed_out
        assert execution.state_lost
        assert execution.exit_code == 137
        assert session.run("print('next')").stdout == "next\n"

    def test_an_interrupt_stops_a_run(self, session: Session) -> None:
        begun = "import time\nprint('begun', flush=True)\ntime.sleep(600)"
        for language, code in (("python", begun), ("shell", "A=kept; echo begun; sleep 600")):
            execution = session.run(code, language=language, timeout_s=600, watch=at_first(session.interrupt))
            assert execution.interrupted
            assert execution.exit_code == 130
        assert session.run("echo $A", language="shell").stdout == "kept\n"

    def test_one_run_at_a_time(self, session: Session) -> None:
        def ask_meanwhile() -> None:
            with pytest.raises(Conflict):
                session.run("1")
            session.interrupt()

        code = "import time\nprint('begun', flush=True)\ntime.sleep(600)"
        assert session.run(code, timeout_s=600, watch=at_first(ask_meanwhile)).interrupted
        assert session.run("print(1)").stdout == "1\n"

    def test_figures_and_tables(self, session: Session) -> None:
        code = (
            "import matplotlib.pyplot as plt, pandas as pd\nplt.plot([1, 2, 4]); plt.title('负载')\nplt.show()\n"
            "pd.DataFrame({'host': ['a', 'b'], 'load': [0.5, None]})"
        )
        execution = session.run(code)
        assert execution.exit_code == 0, execution.stderr
        assert execution.stderr == ""
        png, svg, table = execution.artifacts
        assert (png.kind, png.mime, png.data[:8]) == ("figure", "image/png", b"\x89PNG\r\n\x1a\n")
        assert (svg.kind, svg.mime) == ("figure", "image/svg+xml")
        assert b"<svg" in svg.data
        assert table.kind == "table"
        assert b'"rows": [["a", 0.5], ["b", null]]' in table.data

    def test_a_table_of_what_is_no_text_is_shown_all_the_same(self, session: Session) -> None:
        code = (
            "import pandas as pd\n"
            "pd.DataFrame({'hash': [b'\\xff\\x00', b'x'], 'name': ['a\\udcff', 'b'], 'size': [1, 2]}, index=['\\udcfe', 'z'])"
        )
        execution = session.run(code)
        assert (execution.exit_code, execution.stderr) == (0, "")
        table = json.loads(execution.artifacts[0].data)
        assert table["rows"] == [["b'\\xff\\x00'", "a\\udcff", 1], ["b'x'", "b", 2]]
        assert table["index"] == ["\\udcfe", "z"]

    def test_plotly_figures_are_pictures_and_specifications(self, session: Session) -> None:
        code = (
            "import plotly.graph_objects as go\n"
            "figure = go.Figure([go.Bar(x=['a', 'b'], y=[1, 3], name='load')], layout={'title': 'Last'})\n"
            "figure.show()\nimport plotly.express as px\npx.scatter(x=[1, 2], y=[3, 4])"
        )
        execution = session.run(code)
        assert (execution.exit_code, execution.stderr, execution.stdout) == (0, "", "")
        names = [each.name for each in execution.artifacts]
        assert names == [f"figure-{n}.{ending}" for n in (1, 2) for ending in ("png", "svg", "plotly.json")]
        assert execution.artifacts[0].data.startswith(b"\x89PNG")
        assert b'"type":"bar"' in execution.artifacts[2].data.replace(b" ", b"")

    def test_files_that_a_run_made_are_artifacts(self, session: Session) -> None:
        session.files.put("in.csv", [b"a,b\n"])
        code = "import os\nos.makedirs('out')\nopen('out/报告.txt', 'w').write('done')\nopen('.hidden', 'w').write('x')"
        made = session.run(code).artifacts
        assert [(each.kind, each.name, each.size) for each in made] == [("file", "out/报告.txt", 4)]

    def test_files_in_and_out(self, session: Session) -> None:
        data = bytes(range(256)) * 4000
        entry = session.files.put("a b/数据.bin", [data[:10], data[10:]])
        assert (entry.path, entry.size) == ("a b/数据.bin", len(data))
        assert session.files.list() == [entry]
        assert b"".join(session.files.get("a b/数据.bin")) == data
        assert session.run("import hashlib; print(len(open('a b/数据.bin', 'rb').read()))").stdout == "1024000\n"
        session.files.put("a b/数据.bin", [b"shorter"])
        assert b"".join(session.files.get("a b/数据.bin")) == b"shorter"
        session.files.put("empty", [])
        assert b"".join(session.files.get("empty")) == b""
        session.files.delete("a b")
        assert [each.path for each in session.files.list()] == ["empty"]
        for call in (lambda: list(session.files.get("a b/数据.bin")), lambda: session.files.delete("a b")):
            with pytest.raises(NotFound):
                call()

    @pytest.mark.parametrize(
        "path",
        [
            "../etc/passwd",
            "/etc/passwd",
            "a/../../b",
            "a//b",
            "",
            ".",
            "a\0b",
            "a\nb",
            "x" * 300,
            "link/passwd",
            "way/f",
        ],
    )
    def test_paths_stay_in_the_folder(self, session: Session, path: str) -> None:
        session.run(
            "import os\nos.symlink('/etc', 'link')\nos.symlink('/tmp', 'way')\nos.symlink('/etc/passwd', 'one')"
        )
        for call in (
            lambda: session.files.put(path, [b"x"]),
            lambda: list(session.files.get(path)),
            lambda: session.files.delete(path),
        ):
            with pytest.raises((BadRequest, NotFound)):
                call()
        with pytest.raises(BadRequest):
            list(session.files.get("one"))
        assert session.run("import os; print(os.listdir('/tmp') == ['.matplotlib'] or os.listdir('/tmp'))").stdout in (
            "True\n",
            "[]\n",
        )

    def test_a_pipe_under_a_files_name_blocks_nobody(self, session: Session) -> None:
        session.run("import os\nos.mkfifo('pipe')")
        with pytest.raises(BadRequest):
            list(session.files.get("pipe"))
        assert session.files.list() == []

    def test_a_file_larger_than_the_folder_is_refused(self, session: Session) -> None:
        with pytest.raises(TooLarge):
            session.files.put("big", (bytes(1 << 20) for _ in range(200)))
        assert session.files.list() == []
        session.files.put("small", [b"fits"])

    def test_reset_leaves_nothing(self, session: Session) -> None:
        session.run("x = 1\nopen('f', 'w').write('x')\nopen('/tmp/t', 'w').write('x')")
        session.reset()
        assert session.files.list() == []
        assert "NameError" in session.run("x").stderr
        assert session.run("import os; print(os.path.exists('/tmp/t'))").stdout == "False\n"

    def test_a_closed_session_is_not_found(self, sandbox: Sandbox) -> None:
        session = sandbox.open()
        number = session.info().id
        session.close()
        session.close()
        for call in (lambda: session.run("1"), session.reset, lambda: sandbox.get(number), session.files.list):
            with pytest.raises(NotFound):
                call()
        assert number not in [info.id for info in sandbox.list()]

    def test_a_caller_sees_its_own_sessions(self, sandbox: Sandbox) -> None:
        mine, theirs = sandbox.open(caller="ann"), sandbox.open(caller="bob")
        try:
            assert [info.id for info in sandbox.list(caller="ann")] == [mine.info().id]
            assert sandbox.get(mine.info().id, caller="ann").run("print(1)").stdout == "1\n"
            with pytest.raises(NotFound):
                sandbox.get(theirs.info().id, caller="ann")
        finally:
            mine.close()
            theirs.close()

    def test_a_session_opens_in_another_language(self, sandbox: Sandbox) -> None:
        session = sandbox.open(language="bash")
        try:
            assert session.run("echo $((6 * 7))").stdout == "42\n"
        finally:
            session.close()

    @pytest.mark.parametrize(
        "limits",
        [Limits(memory_mb=10**6), Limits(seconds=-1), Limits(cpus=float("nan")), Limits(disk_mb=1000, memory_mb=600)],
    )
    def test_limits_beyond_the_operators_are_refused(self, sandbox: Sandbox, limits: Limits) -> None:
        with pytest.raises(BadRequest):
            sandbox.open(limits)

    def test_what_does_not_exist_is_refused(self, sandbox: Sandbox, session: Session) -> None:
        with pytest.raises(BadRequest):
            sandbox.open(language="cobol")
        with pytest.raises(BadRequest):
            session.run("x", language="cobol")
        with pytest.raises(NotFound):
            sandbox.get("0123")
        assert session.run("print(1)").stdout == "1\n"

    def test_output_is_bounded(self, session: Session) -> None:
        execution = session.run("print('x' * 3_000_000)")
        assert execution.exit_code == 0
        assert execution.truncated
        assert len(execution.stdout) == 1_000_000

    def test_broken_text_arrives_as_text(self, session: Session) -> None:
        execution = session.run("import os\nos.write(1, b'a\\xff\\xc3'); os.write(1, b'\\xa9\\x00b'); None")
        assert execution.stdout == "a\ufffdé\0b"

    def test_memory_is_bounded_and_the_next_run_works(self, session: Session) -> None:
        execution = session.run("x = bytearray(3 << 30)\nprint('never')")
        assert execution.exit_code != 0
        assert execution.stdout == ""
        assert session.run("print('next')").stdout == "next\n"
