"""Runs the attacks in real sessions, each with its control, and the ones that need more than one session."""

import contextlib
import itertools
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from devops_chatbot.errors import ChatbotError, SandboxUnavailable
from devops_chatbot.i18n import Reason
from sandbox.docker.container import Container
from sandbox.docker.engine import Engine
from sandbox.docker.hardening import ContainerOptions, container_options
from sandbox.docker.image_build import Image
from sandbox.docker.supervisor_client import Gone
from sandbox.model import AttackResult, Execution, Limits
from sandbox.selftest.attacks import ATTACKS, LIMITS, Attack

_Verdict = tuple[bool, Reason, Reason]
"""Whether it held, what happened, and what happens without the protection."""


def run(
    engine: Engine,
    image: Image,
    *,
    labels: dict[str, str],
    runtime: str | None = None,
    say: Callable[[AttackResult], None] = lambda _: None,
) -> list[AttackResult]:
    """Try everything, in containers that carry `labels`. Raises `SandboxUnavailable` when sessions cannot be had at all."""
    field = _Field(engine, image, runtime, labels)
    results: list[AttackResult] = []
    # A port of this host that anybody who reaches the host can reach, for as long as the self-test runs.
    with socket.create_server(("0.0.0.0", 0)) as bait:  # noqa: S104
        port = str(bait.getsockname()[1])
        tries: list[tuple[Reason, Callable[[_Field], _Verdict]]] = [
            (attack.name, partial(_attempt, replace(attack, code=attack.code.replace("PORT", port))))
            for attack in ATTACKS
        ]
        for name, attempt in (*tries, *_SESSIONS):
            begun = time.monotonic()
            try:
                held, detail, control = attempt(field)
            except SandboxUnavailable as error:
                if not results:
                    engine.ping()  # no engine at all is an error; a session that ended is a result
                held, detail, control = False, error.reason, Reason("attack.not_tried")
            seconds = time.monotonic() - begun
            results.append(AttackResult(attack=name, held=held, detail=detail, control=control, seconds=seconds))
            say(results[-1])
    return results


class _Field:
    """Where the attacks run."""

    def __init__(self, engine: Engine, image: Image, runtime: str | None, labels: dict[str, str]) -> None:
        self._numbers = itertools.count()
        self._labels = labels
        self._engine = engine
        self._image = image
        self._runtime = runtime

    def number(self) -> int:
        """One that no other container of this test has."""
        return next(self._numbers)

    @contextlib.contextmanager
    def container(
        self,
        limits: Limits = LIMITS,
        relax: Callable[[ContainerOptions], ContainerOptions] = lambda options: options,
        *,
        number: int | None = None,
    ) -> Iterator[Container]:
        options = container_options(
            limits,
            image=self._image.digest,
            folder=self._image.folder,
            number=self.number() if number is None else number,
            runtime=self._runtime,
            labels=self._labels,
        )
        container = Container(self._engine, limits=limits, options=relax(options))
        try:
            container.open("python")
            yield container
        except Gone as error:
            raise SandboxUnavailable("sandbox.container_gone", error=error) from error
        finally:
            container.close()


def _execute(
    container: Container, code: str, *, seconds: float = LIMITS.seconds, output_bytes: int = LIMITS.output_bytes
) -> Execution:
    return container.run(code.encode(), language="python", seconds=seconds, output_bytes=output_bytes, artifact_bytes=0)


def _attempt(attack: Attack, field: _Field) -> _Verdict:
    """One attack of the list, and its control."""
    with field.container() as container:
        execution = _execute(container, attack.code)
        after = _execute(container, "print('next')") if container.gone is None else None
    lines = execution.stdout.split("\n")
    tried = lines[0] == "tried"
    verdict = next((line for line in lines if line.startswith(("held", "broke"))), "")
    if not verdict and attack.ends_by_force and execution.exit_code in (1, 137):
        verdict = f"held {execution.why or ''}"
    held = tried and verdict.startswith("held") and after is not None and after.stdout == "next\n"
    if not tried:
        detail = Reason("attack.did_not_run", why=execution.stderr[-200:] or execution.why or "")
    elif held and attack.ends_by_force and execution.exit_code in (1, 137):
        detail = execution.why or Reason("run.process_ended")
    else:
        said = verdict.removeprefix("held").strip() if held else verdict or execution.stderr[-200:]
        detail = Reason("attack.said", said=said or execution.why or "")
    if attack.no_control:
        return held, detail, Reason("attack.not_shown", why=attack.no_control)
    try:
        relax = attack.relax or (lambda options: options)
        with field.container(attack.control_limits or LIMITS, relax) as container:
            printed = _execute(container, attack.code).stdout
    except ChatbotError as error:
        return held, detail, Reason("attack.could_not_run", error=error)
    return held, detail, _shown("broke" in printed)


def _output_flood(field: _Field) -> _Verdict:
    code = "import sys\nsys.stdout.write('x' * 3_000_000); None"
    with field.container() as container:
        flooded = _execute(container, code)
        free = _execute(container, code, output_bytes=4_000_000)
    held = flooded.truncated and len(flooded.stdout) == LIMITS.output_bytes
    return (
        held,
        Reason("attack.bytes_came_out", bytes=len(flooded.stdout), of=3_000_000),
        _shown(len(free.stdout) == 3_000_000),
    )


_BURN = """
import os, time
end = time.monotonic() + 1.5
children = []
for _ in range(1):
    pid = os.fork()
    if pid == 0:
        while time.monotonic() < end: pass
        os._exit(0)
    children.append(pid)
while time.monotonic() < end: pass
for pid in children: os.waitpid(pid, 0)
own = os.times()
print('tried'); print((own.user + own.system + own.children_user + own.children_system) / 1.5)
"""


def _cpu_flood(field: _Field) -> _Verdict:
    with field.container(replace(LIMITS, cpus=0.5)) as container:
        used = float(_execute(container, _BURN).stdout.split()[-1])
    with field.container(replace(LIMITS, cpus=2)) as container:
        free = float(_execute(container, _BURN).stdout.split()[-1])
    return (
        used < 0.7,
        Reason("attack.cpu_used", cpus=0.5, used=used),
        _shown(True) if free > 0.7 else Reason("attack.not_shown", why=Reason("attack.host_busy")),
    )


def _ignoring_signals(field: _Field) -> _Verdict:
    code = (
        "import signal, time\nfor n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP): signal.signal(n, signal.SIG_IGN)\n"
        "print('tried', flush=True)\nwhile True:\n    try: time.sleep(1)\n    except BaseException: pass"
    )
    with field.container() as container:
        longer = _execute(container, code, seconds=2)
        begun = time.monotonic()
        ended = _execute(container, code, seconds=0.5)
        took = time.monotonic() - begun
        after = _execute(container, "print('next')")
    held = ended.timed_out and ended.stdout == "tried\n" and took < 5 and after.stdout == "next\n"
    return held, Reason("attack.ended_after", seconds=took, deadline=0.5), _shown(longer.seconds > 1.9)


_LEAVE = """
import os, signal, time
print('tried', flush=True)
for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP): signal.signal(n, signal.SIG_IGN)
for _ in range(5):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            while True: time.sleep(1)
        os._exit(0)
"""
_COUNT = """
import glob
def state(path):
    try: return open(path).read().rpartition(') ')[2][:1]
    except OSError: return 'Z'
print(sum(state(path) != 'Z' for path in glob.glob('/proc/[0-9]*/stat')))
"""


def _leaving_processes(field: _Field) -> _Verdict:
    with field.container() as container:
        few = int(_execute(container, _COUNT).stdout)
        _execute(container, _LEAVE)
        left = int(_execute(container, _COUNT).stdout)
        _execute(container, "import time\ntime.sleep(9)", seconds=0.3)
        after = int(_execute(container, _COUNT).stdout)
    return after <= few, Reason("attack.processes_left", before=left, after=after), _shown(left >= few + 5)


def _reading_another_session(field: _Field) -> _Verdict:
    secret = "the-neighbours-secret"  # noqa: S105 - it is meant to be looked for
    look = (
        "import glob\nprint('tried')\ndef read(p):\n    try: return open(p, 'rb').read(1 << 16)\n    except OSError: return b''\n"
        f"found = any({secret[:12]!r}.encode() + {secret[12:]!r}.encode() in read(p) "
        "for p in glob.glob('/proc/[0-9]*/environ') + "
        "glob.glob('/work/*') + glob.glob('/tmp/*') + glob.glob('/dev/shm/*'))\nprint(found)"
    )
    with field.container() as theirs, field.container() as ours:
        for folder in ("/work", "/tmp", "/dev/shm"):  # noqa: S108 - paths inside a container
            _execute(theirs, f"open('{folder}/note', 'w').write('{secret}'); None")
        seen, own = _execute(ours, look).stdout, _execute(theirs, look).stdout
    return seen == "tried\nFalse\n", Reason("attack.nothing_seen"), _shown(own == "tried\nTrue\n")


def _starving_a_neighbour(field: _Field) -> _Verdict:
    work = "import time\nbegun = time.perf_counter()\nsum(i * i for i in range(1_000_000))\nprint(time.perf_counter() - begun)"
    with field.container() as flooder, field.container() as neighbour:
        alone = statistics.median(float(_execute(neighbour, work).stdout) for _ in range(3))
        spin = "        while True: pass\nwhile True: pass"
        flood = "import os\nprint('tried', flush=True)\nfor _ in range(30):\n    if os.fork() == 0:\n" + spin
        thread = threading.Thread(target=_execute, args=(flooder, flood), kwargs={"seconds": 4}, daemon=True)
        thread.start()
        time.sleep(1)
        beside = statistics.median(float(_execute(neighbour, work).stdout) for _ in range(3))
        thread.join()
    detail = Reason("attack.slowed", times=beside / alone, processes=31)
    return beside < 4 * alone + 0.1, detail, Reason("attack.not_shown", why=Reason("attack.would_starve_the_host"))


_EXHAUST = """
import ctypes
libc = ctypes.CDLL(None)
print('tried')
watches = timers = 0
while watches < 5000 and libc.inotify_init1(0) >= 0: watches += 1
while timers < 20_000 and libc.timer_create(0, None, ctypes.byref(ctypes.c_void_p())) == 0: timers += 1
print(watches, timers)
"""
_ANY_LEFT = """
import ctypes
libc = ctypes.CDLL(None)
print(libc.inotify_init1(0) >= 0 and libc.timer_create(0, None, ctypes.byref(ctypes.c_void_p())) == 0)
"""


def _using_up_what_is_counted_by_user(field: _Field) -> _Verdict:
    number = field.number()
    with field.container(replace(LIMITS, open_files=4096), number=number) as taker:
        taken = _execute(taker, _EXHAUST).stdout.split()
        with field.container() as neighbour:
            left = _execute(neighbour, _ANY_LEFT).stdout
        with field.container(number=number) as same:
            control = _execute(same, _ANY_LEFT).stdout
    detail = Reason("attack.neighbour_gets_some", watchers=taken[1], timers=taken[2])
    return taken[0] == "tried" and left == "True\n", detail, _shown(control == "False\n")


_SESSIONS: tuple[tuple[Reason, Callable[[_Field], _Verdict]], ...] = (
    (Reason("attack.output_flood"), _output_flood),
    (Reason("attack.cpu_flood"), _cpu_flood),
    (Reason("attack.ignoring_signals"), _ignoring_signals),
    (Reason("attack.leaving_processes_behind"), _leaving_processes),
    (Reason("attack.reading_another_session"), _reading_another_session),
    (Reason("attack.starving_a_neighbour"), _starving_a_neighbour),
    (Reason("attack.using_up_what_is_counted_by_user"), _using_up_what_is_counted_by_user),
)


def _shown(success: bool) -> Reason:
    return Reason("attack.succeeds") if success else Reason("attack.did_not_succeed")
