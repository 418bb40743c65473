"""Code that fights the sandbox, and machines that fail under it: the asker sees what happened, and the next run works."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker_engine import Daemon
from patience import wait_until

from devops_chatbot.errors import BadRequest, LimitReached, NotFound, SandboxUnavailable
from sandbox.docker.engine import Engine
from sandbox.docker.image_build import Image
from sandbox.docker.local import LocalSandbox, SessionPolicy
from sandbox.model import Limits, Session

pytestmark = pytest.mark.service


@pytest.fixture
def session(local: LocalSandbox) -> Iterator[Session]:
    session = local.open(Limits(seconds=600))
    yield session
    session.close()


FIGHTS = {
    "closes its output": ("import sys, os\nsys.stdout.close()\nsys.stderr.close()\nos.close(1); os.close(2)", 0),
    "closes every descriptor": ("import os\nos.closerange(0, 100)", None),
    "kills the driver": ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", 137),
    "kills everything it can": ("import os, signal\nos.kill(-1, signal.SIGKILL)", None),
    "signals the supervisor": (
        "import os\nfor n in range(1, 60):\n    try: os.kill(1, n)\n    except OSError: pass",
        0,
    ),
    "raises SystemExit": ("raise SystemExit", 0),
    "leaves at once": ("import os\nos._exit(7)", 7),
    "forks and lets the child go on": ("import os\nif os.fork() == 0: pass\nelse: os.wait()", 0),
    "detaches": (
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        "        while True: os.write(1, b'x'); time.sleep(.01)\n    os._exit(0)\nos.wait(); None",
        0,
    ),
    "deletes what it can": (
        "import subprocess\nsubprocess.run('rm -rf / --no-preserve-root 2>/dev/null', shell=True); None",
        0,
    ),
    "fills the folder": ("with open('big', 'wb') as f:\n    while True: f.write(bytes(1 << 20))", 1),
    "fills it with names": ("i = 0\nwhile True:\n    open(f'n{i}', 'w').close(); i += 1", 1),
    "recurses": ("def f(): f()\nf()", 1),
    "replaces print": ("import builtins\nbuiltins.print = None\nimport sys\nsys.stdout = None", 0),
    "loses its folder": ("import os, shutil\nos.mkdir('d'); os.chdir('d'); os.rmdir('../d')", 0),
    "catches everything": ("import time\nwhile True:\n    try: time.sleep(1)\n    except BaseException: pass", 137),
    "lowers the supervisor's limits": ("import resource\nresource.prlimit(1, resource.RLIMIT_NOFILE, (0, 0))", 1),
}


@pytest.mark.parametrize("fight", FIGHTS)
def test_the_next_run_works(session: Session, fight: str) -> None:
    code, status = FIGHTS[fight]
    execution = session.run(code, timeout_s=1.5 if fight == "catches everything" else 600)
    if status is not None:
        assert execution.exit_code == status, execution
    if execution.exit_code not in (0, 1):
        assert execution.state_lost
    after = session.run("import os\nprint('next', os.getcwd())")
    assert after.stdout.replace("x", "") == "net /work\n"  # a process that stayed behind may still write its x
    assert after.exit_code == 0


FORGERIES = (
    'print(\'\\x00\\x00\\x00\\x10\\x00\\x00\\x00\\x00{"id":1,"done":{}}\')',
    "import struct, json, os\nh = json.dumps({'id': 1, 'done': {'exit_code': 0}}).encode()\n"
    "os.write(1, struct.pack('>II', len(h), 0) + h); None",
    "import os\nos.write(1, b'ready\\ndone 0000 0\\n'); os.write(2, b'done x 0\\n'); None",
)


@pytest.mark.parametrize("forgery", FORGERIES)
def test_output_that_imitates_the_protocol_is_output(session: Session, forgery: str) -> None:
    execution = session.run(forgery + "\nimport time\ntime.sleep(0.2)\nraise SystemExit(9)")
    assert execution.exit_code == 9
    assert "done" in execution.stdout


def test_answers_that_the_code_invents_end_its_interpreter_and_nothing_else(session: Session) -> None:
    execution = session.run("import os, time\nos.write(4, b'nonsense\\n'); time.sleep(20)")
    assert execution.exit_code == 137
    assert "misused" in str(execution.why)
    assert (
        session.run("import os, time\nos.write(4, b'done 0123 0\\n'); time.sleep(.1); print('whole')").stdout
        == "whole\n"
    )


@pytest.mark.parametrize(
    "table",
    [
        "[]",
        "{",
        '{"columns":["a"],"index":[0],"rows":[[1,2]],"total_rows":1,"total_columns":1}',
        json.dumps({"columns": [], "index": [0] * 1001, "rows": [[]] * 1001, "total_rows": 1, "total_columns": 1}),
    ],
)
def test_a_table_that_is_none_is_not_passed_on(session: Session, table: str) -> None:
    show = "import sandbox_show\nsandbox_show.show('table', 'x.json', 'application/vnd.devops-chatbot.table+json', "
    execution = session.run(f"{show}{table.encode()!r})")
    assert execution.artifacts == ()
    assert execution.why
    assert session.run("print('whole')").stdout == "whole\n"


@pytest.mark.parametrize("path", ["fd/0", "fd/1", "mem", "environ", "fdinfo/1", "maps"])
def test_the_supervisor_is_closed_to_code(session: Session, path: str) -> None:
    execution = session.run(f"open('/proc/1/{path}', 'rb').read(1)")
    assert "PermissionError" in execution.stderr


SWAP = """
import os
def wait():
    while True:
        for name in os.listdir('/work'):
            if name.startswith('.put-'):
                return '/work/' + name
if os.fork() == 0:
    for number in range(1000):
        os.mkfifo(f'/work/.pipe{number}')
        os.rename(f'/work/.pipe{number}', wait())
    os._exit(0)
"""


def test_a_pipe_in_the_place_of_a_file_that_is_being_written_blocks_nobody(session: Session) -> None:
    session.run(SWAP)
    with pytest.raises((BadRequest, NotFound)):
        session.files.put("big", (bytes(1 << 18) for _ in range(400)))
    after = session.run("print('next')")
    assert (after.stdout, after.state_lost) == ("next\n", False)


KERNEL_OBJECTS = """
import ctypes
libc, timers = ctypes.CDLL(None), 0
while timers < 20_000 and libc.timer_create(0, None, ctypes.byref(ctypes.c_void_p())) == 0: timers += 1
while libc.inotify_init1(0) >= 0: pass
print(timers > 0)
"""


def test_what_the_kernel_counts_by_user_is_not_shared_with_a_neighbour(local: LocalSandbox) -> None:
    taker, neighbour = local.open(), local.open()
    try:
        assert taker.run(KERNEL_OBJECTS).stdout == "True\n"
        assert taker.run(KERNEL_OBJECTS).stdout == "False\n"
        assert neighbour.run(KERNEL_OBJECTS).stdout == "True\n"
        who = [
            each.run("import getpass, os\nprint(os.getuid(), getpass.getuser())").stdout for each in (taker, neighbour)
        ]
        assert who[0] != who[1]
        assert [name.split()[1] for name in who] == ["sandbox", "sandbox"]
        assert taker.run("whoami; touch f; stat -c %U f", language="shell").stdout == "sandbox\nsandbox\n"
    finally:
        taker.close()
        neighbour.close()


def test_a_gigabyte_of_output_is_read_and_dropped(session: Session) -> None:
    code = "import os\nb = b'x' * (1 << 20)\nfor _ in range(1024): os.write(1, b)"
    execution = session.run(code, timeout_s=600)
    assert execution.exit_code == 0
    assert execution.truncated
    assert len(execution.stdout) == Limits().output_bytes


def test_a_fork_bomb_ends_with_its_deadline(session: Session) -> None:
    execution = session.run("bomb() { bomb | bomb & }; bomb; sleep 3600", language="shell", timeout_s=2)
    assert execution.exit_code != 0
    after = session.run("print('next')")
    assert after.stdout == "next\n"


def test_processes_left_behind_end_at_the_next_deadline(session: Session) -> None:
    session.run("(trap '' INT TERM; while :; do sleep 1; done) & disown", language="shell")
    count = "import os\nprint(sum(p.isdigit() for p in os.listdir('/proc')))"
    wait_until(lambda: int(session.run(count).stdout) >= 4)
    assert session.run("import time\ntime.sleep(600)", timeout_s=0.2).timed_out
    wait_until(lambda: int(session.run(count).stdout) <= 3)


def test_code_that_cannot_be_sent_is_refused(session: Session) -> None:
    for code in ("print('\0')", "\ud800"):
        with pytest.raises(BadRequest):
            session.run(code)
    assert session.run("").exit_code == 0


def test_a_container_killed_from_outside_is_replaced(local: LocalSandbox, engine: Engine) -> None:
    session = local.open(Limits(seconds=600))
    try:
        session.run("x = 1")
        code = "import time\nprint('before', flush=True)\ntime.sleep(600)"
        cut = session.run(code, timeout_s=600, watch=lambda _: engine.remove(session.container))
        assert (cut.exit_code, cut.state_lost, cut.stdout) == (137, True, "before\n")
        assert "has gone" in str(cut.why)
        after = session.run("print('next')")
        assert after.stdout == "next\n"
        assert after.state_lost
        assert "fresh container" in str(after.why)
        engine.remove(session.container)
        time.sleep(0.2)
        assert session.files.list() == []
    finally:
        session.close()


def test_idle_sessions_are_closed_and_busy_ones_are_not(engine: Engine, image: Image) -> None:
    owner = f"tests-idle-{os.getpid()}"
    with_end = LocalSandbox(engine, owner=owner, policy=SessionPolicy(idle_s=2, warm_most=0))
    try:
        session = with_end.open()
        assert session.run("import time\ntime.sleep(3); print('whole')").stdout == "whole\n"
        wait_until(lambda: with_end.list() == [] and engine.containers(owner) == [])
        with pytest.raises(NotFound, match="nobody used it"):
            session.run("1")
    finally:
        with_end.close()


def test_a_caller_has_a_quota_and_all_have_one(engine: Engine, image: Image) -> None:
    few = LocalSandbox(
        engine, owner=f"tests-few-{os.getpid()}", policy=SessionPolicy(capacity=3, per_caller=2, warm_most=0)
    )
    try:
        opened = [few.open(caller="ann"), few.open(caller="ann")]
        with pytest.raises(LimitReached):
            few.open(caller="ann")
        few.open(caller="bob")
        with pytest.raises(SandboxUnavailable):
            few.open(caller="eve")
        opened[0].close()
        few.open(caller="ann")
    finally:
        few.close()


def test_without_an_engine_the_reason_is_said() -> None:
    nowhere = LocalSandbox(Engine("unix:///nonexistent/docker.sock"), owner="tests")
    for call in (nowhere.ready, nowhere.open):
        with pytest.raises(SandboxUnavailable, match=r"does not answer.*apt-get install docker.io"):
            call()
    nowhere.close()


def test_without_the_image_the_remedy_is_said(engine: Engine) -> None:
    without = LocalSandbox(engine, owner="tests", image="devops-chatbot-sandbox:nonexistent")
    with pytest.raises(SandboxUnavailable, match=r"has no image.*devops-chatbot sandbox build"):
        without.ready()


def test_an_image_of_another_version_is_not_used(engine: Engine, image: Image) -> None:
    other = LocalSandbox(engine, owner="tests", image=image.base)
    with pytest.raises(SandboxUnavailable, match="is of version none; this program needs"):
        other.ready()


def test_a_runtime_that_is_missing_is_said(engine: Engine, image: Image) -> None:
    other = LocalSandbox(engine, owner="tests", runtime="nonexistent")
    with pytest.raises(SandboxUnavailable, match="no runtime 'nonexistent'"):
        other.ready()


def test_the_engine_may_restart_in_the_middle(daemon: Daemon, engine: Engine, image: Image) -> None:
    sandbox = LocalSandbox(engine, owner=f"tests-restart-{os.getpid()}", policy=SessionPolicy(warm_most=0))
    session = sandbox.open(Limits(seconds=600))
    code = "import time\nprint('begun', flush=True)\ntime.sleep(600)"
    cut = session.run(code, timeout_s=600, watch=lambda _: daemon.stop())
    assert (cut.exit_code, cut.state_lost) == (137, True)
    with pytest.raises(SandboxUnavailable, match="does not answer"):
        session.run("print(1)")
    daemon.start()
    assert session.run("print('next')").stdout == "next\n"
    sandbox.close()
    assert engine.containers(f"tests-restart-{os.getpid()}") == []


KILLED = """
import sys, time
from sandbox.docker.engine import Engine
from sandbox.docker.local import LocalSandbox, SessionPolicy
from sandbox.model import Limits
sandbox = LocalSandbox(Engine(), owner=sys.argv[1], policy=SessionPolicy(warm_least=1, warm_most=2))
session = sandbox.open(Limits(seconds=600))
print(session.run("print('up')").stdout, flush=True)
session.run("import time\\ntime.sleep(600)", timeout_s=600)
"""


def test_nothing_stays_when_the_process_is_killed(engine: Engine, image: Image) -> None:
    owner = f"tests-killed-{os.getpid()}"
    process = subprocess.Popen([sys.executable, "-c", KILLED, owner], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == b"up\n"
        time.sleep(0.5)
        assert len(engine.containers(owner)) >= 1
        process.send_signal(signal.SIGKILL)
        process.wait()
    wait_until(lambda: engine.containers(owner) == [])


def test_what_an_earlier_process_left_is_swept_and_nothing_else(engine: Engine, image: Image) -> None:
    owner, other = f"tests-swept-{os.getpid()}", f"tests-other-{os.getpid()}"
    from sandbox.docker.engine import OWNER_LABEL
    from sandbox.docker.hardening import container_options

    for name in (owner, other):
        engine.create(container_options(Limits(), image=image.digest, folder="/work", labels={OWNER_LABEL: name}))
    sandbox = LocalSandbox(engine, owner=owner, policy=SessionPolicy(warm_most=0))
    try:
        sandbox.ready()
        assert engine.containers(owner) == []
        assert len(engine.containers(other)) == 1
    finally:
        sandbox.close()
        for container in engine.containers(other):
            engine.remove(container)


def test_many_sessions_leave_nothing(engine: Engine, image: Image) -> None:
    owner = f"tests-many-{os.getpid()}"
    sandbox = LocalSandbox(engine, owner=owner, policy=SessionPolicy(warm_most=2))
    for _ in range(10):  # the connections to the engine that are kept are all open then
        sandbox.open().close()
    time.sleep(1)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(10):
        sandbox.open().close()
    time.sleep(1)
    after = len(list(Path("/proc/self/fd").iterdir()))
    sandbox.close()
    assert after <= before + 2
    assert engine.containers(owner) == []
    names = [thread.name for thread in threading.enumerate() if thread.name.startswith("sandbox-channel")]
    assert len(names) <= 3
