"""The sandbox beside `docker run`, `docker exec` and llm-sandbox, and on public sets of programs with known verdicts.

python -m benchmarks.sandbox [--data DIR] [--intercode CLONE] [--sessions 1000] [--only speed|churn|sets]
"""

import argparse
from pathlib import Path

from benchmarks import sandbox_sets, sandbox_speed
from benchmarks.table import report
from devops_chatbot.errors import SandboxUnavailable
from sandbox.docker import image_build
from sandbox.docker.engine import Engine

COMMAND = "python -m benchmarks.sandbox --data DIR --intercode CLONE"


def main() -> None:
    """Measure what was asked for, and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=Path, help="a folder with exec/humaneval, exec/codefuse_eval, exec/intercode_bash"
    )
    parser.add_argument("--intercode", type=Path, help="a clone of princeton-nlp/intercode, for its file systems")
    parser.add_argument("--sessions", type=int, default=1000, help="sessions opened and closed one after the other")
    parser.add_argument("--repeat", type=int, default=30)
    parser.add_argument("--only", choices=("speed", "churn", "sets"))
    asked = parser.parse_args()
    engine = Engine()
    try:
        image = image_build.find(engine)
    except SandboxUnavailable as error:
        print(f"left out: {error}")
        return
    if asked.only in (None, "speed"):
        report(
            "sandbox_speed", "Sandbox: milliseconds", sandbox_speed.speed(engine, image, asked.repeat), command=COMMAND
        )
        report("sandbox_crowd", "Sandbox: 20 sessions at once", sandbox_speed.crowd(engine), command=COMMAND)
    if asked.only in (None, "churn"):
        title = f"Sandbox: {asked.sessions} sessions opened and closed"
        report("sandbox_churn", title, sandbox_speed.churn(engine, asked.sessions), command=COMMAND)
    if asked.only in (None, "sets") and asked.data is not None:
        rows = sandbox_sets.sets(engine, asked.data / "exec", asked.intercode)
        report("sandbox_sets", "Sandbox: programs with known verdicts, 2 at a time", rows, command=COMMAND)


if __name__ == "__main__":
    main()
