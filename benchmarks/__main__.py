"""Runs every benchmark, one after the other, each in a process of its own; ends with 1 when one of them broke."""

import argparse
import subprocess
import sys
from pathlib import Path

BENCHMARKS = ("embedding", "ingest", "memory", "retrieval", "latency", "startup", "streams", "sandbox", "fresh_clone")
NEEDS_DATA = ("ingest", "memory", "retrieval")
TAKES_DATA = (*NEEDS_DATA, "sandbox")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"which ones: {', '.join(BENCHMARKS)}; all without a name")
    parser.add_argument("--data", type=Path, help="folder of the public data sets")
    arguments = parser.parse_args()
    data = arguments.data if arguments.data and arguments.data.is_dir() else None
    broken = []
    for name in arguments.names or BENCHMARKS:
        if name not in BENCHMARKS:
            parser.error(f"there is no benchmark {name!r}; known: {', '.join(BENCHMARKS)}")
        if name in NEEDS_DATA and data is None:
            print(f"{name}: left out, it needs --data DIR (make bench DATA=DIR)")
            continue
        options = ["--data", str(data)] if name in TAKES_DATA and data else []
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *options], check=False).returncode:
            broken.append(name)
    if broken:
        print(f"broken: {', '.join(broken)}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
