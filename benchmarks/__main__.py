"""Runs benchmarks one after the other, each in a process of its own; ends with 1 when one of them broke.

Each prints its tables and writes them below `benchmark-results/`; the last table says how long each took.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

BENCHMARKS = (
    "embedding",
    "ingest",
    "memory",
    "retrieval",
    "answers",
    "latency",
    "startup",
    "streams",
    "agents",
    "sandbox",
    "fresh_clone",
)
NEEDS_DATA = ("ingest", "memory", "retrieval", "answers")
TAKES_DATA = (*NEEDS_DATA, "embedding", "sandbox")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help=f"which ones: {', '.join(BENCHMARKS)}; all without a name")
    parser.add_argument("--data", type=Path, help=f"folder of the public data sets, for {', '.join(TAKES_DATA)}")
    arguments = parser.parse_args()
    for name in arguments.names:
        if name not in BENCHMARKS:
            parser.error(f"there is no benchmark {name!r}; known: {', '.join(BENCHMARKS)}")
    data = arguments.data if arguments.data and arguments.data.is_dir() else None
    broken, took = [], []
    for name in arguments.names or BENCHMARKS:
        if name in NEEDS_DATA and data is None:
            took.append((name, "left out: it needs --data DIR (make bench DATA=DIR)"))
            continue
        options = ["--data", str(data)] if name in TAKES_DATA and data else []
        print(f"\n== {name}", flush=True)
        begun = time.monotonic()
        code = subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *options], check=False).returncode
        minutes = f"{(time.monotonic() - begun) / 60:.1f} min"
        took.append((name, f"broken (exit code {code}) after {minutes}" if code else minutes))
        if code:
            broken.append(name)
    print("\n== time")
    for name, words in took:
        print(f"{name:12} {words}")
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
