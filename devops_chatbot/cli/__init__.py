"""The command line. It speaks HTTP through `devops_chatbot.client` and nothing else."""

import os
import signal
import sys
from types import FrameType

INTERRUPTED = 130


def main() -> None:
    """The entry point of `devops-chatbot`; Ctrl-C at any moment of it is exit code 130 without a traceback."""
    heeded = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # a shell has its background jobs ignore it
    try:
        # Nothing is begun yet, so nothing has to be cleaned up; an exception would be lost if it came while the
        # interpreter runs a callback or a destructor of the imported modules.
        if heeded:
            signal.signal(signal.SIGINT, _end)
        from devops_chatbot.cli.commands import run

        if heeded:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        code = run(sys.argv[1:])
        if heeded:
            signal.signal(signal.SIGINT, _end)
    except KeyboardInterrupt:
        code = INTERRUPTED
    sys.exit(code)


def _end(_number: int, _frame: FrameType | None) -> None:
    os._exit(INTERRUPTED)
