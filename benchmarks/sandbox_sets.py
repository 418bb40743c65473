"""Public sets of programs whose verdicts are known: HumanEval, HumanEval-X, MBPP-X, published generations, InterCode."""

import contextlib
import gzip
import io
import json
import re
import tarfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.table import Cell
from sandbox.docker.engine import Engine
from sandbox.docker.image_build import FOLDER_LABEL, TAG, VERSION_LABEL, find
from sandbox.docker.local import LocalSandbox, SessionPolicy
from sandbox.model import Execution, Limits

AT_ONCE = 2
SECONDS = 20.0
OWNER = "benchmark-sets"
SHELL_SECONDS = 10
_KERNEL = re.compile(r"(?<![\w.-])(\./|/)?(proc|sys|dev)/")
SET_UP = "cd /; bash /setup.sh >/dev/null 2>&1"


@dataclass(frozen=True, slots=True)
class Program:
    """A program, and whether it has to pass."""

    name: str
    code: str
    passes: bool
    language: str = "python"


def sets(engine: Engine, data: Path, intercode: Path | None) -> list[dict[str, Cell]]:
    """Every set below `data`, each program in a session of its own."""
    sandbox = LocalSandbox(engine, owner=OWNER, policy=SessionPolicy(warm_least=2, warm_most=4, per_caller=8))
    rows = []
    for name, programs in _sets(data):
        rows.append(_verdicts(sandbox, name, programs))
        print(rows[-1], flush=True)
    sandbox.close()
    trajectories = data / "intercode_bash" / "gpt4_trajectories.jsonl.gz"
    if intercode is not None and trajectories.exists():
        rows.append(_shell(engine, _lines(trajectories), intercode))
    return rows


def _sets(data: Path) -> Iterator[tuple[str, list[Program]]]:
    human = data / "humaneval" / "HumanEval.jsonl.gz"
    if human.exists():
        problems = _lines(human)
        tail = "\ncheck({entry_point})\n"
        yield (
            "HumanEval, solutions",
            [
                Program(p["task_id"], p["prompt"] + p["canonical_solution"] + p["test"] + tail.format(**p), True)
                for p in problems
            ],
        )
        yield (
            "HumanEval, wrong body",
            [
                Program(p["task_id"], p["prompt"] + "    return None\n" + p["test"] + tail.format(**p), False)
                for p in problems
            ],
        )
    more = data / "codefuse_eval"
    if not more.exists():
        return
    preamble = json.loads((more / "expected_verdicts_CodeFuse-13B.json").read_text("utf-8"))
    for name, file, language, broken in (
        ("HumanEval-X JavaScript", "humaneval_js", "node", {"JavaScript/162"}),
        ("HumanEval-X Java", "humaneval_java", "java", set()),
        ("HumanEval-X Python", "humaneval_python", "python", set()),
        ("HumanEval-X Python, Chinese", "humaneval_python_cn", "python", {"Python/142"}),
    ):
        head = preamble["preamble"] if language == "python" else ""
        yield (
            name,
            [
                Program(
                    p["task_id"],
                    head
                    + p["prompt"]
                    + ("\n" if file.endswith("cn") else "")
                    + p["canonical_solution"]
                    + "\n"
                    + p["test"],
                    p["task_id"] not in broken,
                    language,
                )
                for p in _lines(more / f"{file}.jsonl.gz")
            ],
        )
    yield (
        "MBPP-X",
        [
            Program(
                p["task_id"],
                # Without `test_setup`, as the known verdicts were made.
                preamble["preamble"] + "\n".join([p["canonical_solution"], *p["test"]]),
                p["task_id"] != "Python/367",
            )
            for p in _lines(more / "mbpp_x.jsonl.gz")
        ],
    )
    passed = set(preamble["passed"])
    yield (
        "published generations, CodeFuse-13B",
        [
            Program(
                p["task_id"],
                preamble["preamble"] + p["prompt"] + p["generation"] + "\n" + p["test"],
                p["task_id"] in passed,
            )
            for p in _lines(more / "published_outputs_CodeFuse-13B.jsonl.gz")
        ],
    )


def _verdicts(sandbox: LocalSandbox, name: str, programs: list[Program]) -> dict[str, Cell]:
    begun = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as threads:
        ends = list(threads.map(lambda program: _run(sandbox, program), programs))
    seconds = time.perf_counter() - begun
    wrong = [p.name for p, end in zip(programs, ends, strict=True) if _passed(p, end) is not p.passes]
    return {
        "set": name,
        "programs": len(programs),
        "must pass": sum(program.passes for program in programs),
        "right verdicts": len(programs) - len(wrong),
        "wrong": ", ".join(wrong[:6]),
        "seconds": seconds,
    }


def _run(sandbox: LocalSandbox, program: Program) -> Execution:
    session = sandbox.open(Limits(seconds=SECONDS), language=program.language)
    try:
        return session.run(program.code)
    finally:
        session.close()


def _passed(program: Program, execution: Execution) -> bool:
    """As the sets' own harness has it: `console.assert` only speaks, so JavaScript passes when it is silent."""
    silent = program.language != "node" or not execution.stderr
    return execution.exit_code == 0 and not execution.timed_out and silent


def _shell(engine: Engine, tasks: list[dict[str, Any]], clone: Path) -> dict[str, Cell]:
    """Recorded shell actions in a session and, side by side, through the engine's own `exec` in two containers of the
    same image: where those two say different things, there is nothing to compare with.
    """
    begun = time.perf_counter()
    actions = unsteady = same = ours_recorded = exec_recorded = 0
    different: list[str] = []
    for system, folder in ((1, "/testbed"), (2, "/system")):
        script = (clone / "docker" / "bash_scripts" / f"setup_nl2b_fs_{system}.sh").read_text("utf-8")
        tag = _image(engine, system, folder, script)
        sandbox = LocalSandbox(engine, owner=OWNER, image=tag, policy=SessionPolicy(warm_least=1, warm_most=2))
        for task in (each for each in tasks if each["fs"] == system):
            session = sandbox.open()
            session.run(SET_UP, language="shell")
            with _Beside(tag, folder) as first, _Beside(tag, folder) as second:
                for action, recorded in zip(task["actions"], task["observations"], strict=False):
                    here = session.run(f"cd {first.place} && {action}", language="shell", timeout_s=SHELL_SECONDS)
                    ours, theirs, again = _lines_of(here.stdout + here.stderr), first.run(action), second.run(action)
                    actions += 1
                    ours_recorded += ours == _lines_of(recorded)
                    exec_recorded += theirs == _lines_of(recorded)
                    if theirs != again:
                        unsteady += 1
                    elif ours == theirs:
                        same += 1
                    else:
                        different.append(f"{task['task_id']}: {action[:60]}")
                        print("differs from docker exec:", system, task["task_id"], action)
                        print("   here:", [line for line in ours if line not in theirs][:3])
                        print("   exec:", [line for line in theirs if line not in ours][:3], flush=True)
            session.close()
        sandbox.close()
    return {
        "set": f"InterCode shell: as docker exec ({exec_recorded} as recorded by exec, {ours_recorded} by us; "
        f"{unsteady} on which two docker execs differ left out)",
        "programs": actions,
        "must pass": actions - unsteady,
        "right verdicts": same,
        "wrong": "; ".join(different[:3]),
        "seconds": time.perf_counter() - begun,
    }


class _Beside:
    """A container of the same image with the same kind of folder, so that nothing differs but the way in."""

    def __init__(self, tag: str, folder: str) -> None:
        import docker

        self.place = "/"
        self._container = docker.from_env().containers.run(
            tag,
            entrypoint="sleep",
            command="900",
            detach=True,
            auto_remove=True,
            tmpfs={folder: "rw,exec,nosuid,nodev,size=128m,mode=0700,uid=10001,gid=10001", "/tmp": "mode=1777"},  # noqa: S108
            hostname="sandbox",
            network_mode="none",
            network_disabled=True,
            read_only=True,
            environment={"HOME": folder, "LANG": "C.UTF-8", "TERM": "dumb", "USER": "sandbox", "TMPDIR": "/tmp"},  # noqa: S108
        )
        self._run(SET_UP)

    def __enter__(self) -> "_Beside":
        return self

    def __exit__(self, *_: object) -> None:
        self._container.remove(force=True)

    def run(self, action: str) -> list[str]:
        """The lines that an action prints; `cd` by itself stays for the next ones."""
        code, output = self._run(f"cd {self.place} && {action}")
        if code == 0 and re.fullmatch(r"cd [^;&|]+", action):
            self.place = action[3:].strip()
        return _lines_of(output.decode("utf-8", "replace"))

    def _run(self, command: str) -> tuple[int, bytes]:
        ended = self._container.exec_run(
            ["timeout", "-s", "KILL", str(SHELL_SECONDS), "/bin/bash", "-c", command], user="10001:10001"
        )
        return ended.exit_code, ended.output


def _image(engine: Engine, system: int, folder: str, script: str) -> str:
    """Our image, with the set's files where the recording had them."""
    tag = f"devops-chatbot-benchmark-intercode-{system}:latest"
    steps = f"FROM {TAG}\nUSER root\nCOPY setup.sh /setup.sh\nRUN mkdir -p {folder} && chmod a+rx /setup.sh\nUSER 10001:10001\n"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, text in (("Dockerfile", steps), ("setup.sh", script)):
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    packed.seek(0)
    labels = {VERSION_LABEL: find(engine).version, FOLDER_LABEL: folder}
    for _ in engine.build(packed, tag=tag, labels=labels, arguments={}):
        pass
    return tag


def _lines_of(text: str) -> list[str]:
    """The lines without what depends on who runs them: where bash says it is, times, and what stands below /proc and
    /sys, which is about the processes that are there.
    """
    text = re.sub(r"^(/bin/)?bash: (-c: )?(eval: )?(line \d+: )?", "bash: ", text, flags=re.MULTILINE)
    text = re.sub(r"\b\d{1,2}:\d\d(:\d\d)?(\.\d+)?\b", "TIME", text)
    return sorted(line.rstrip() for line in text.split("\n") if line.strip() and not _KERNEL.search(line))


def _lines(path: Path) -> list[dict[str, Any]]:
    with contextlib.closing(gzip.open(path, "rt", encoding="utf-8")) as file:
        return [json.loads(line) for line in file]
