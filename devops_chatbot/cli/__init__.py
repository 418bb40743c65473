"""The command line. It speaks HTTP through `devops_chatbot.client` and nothing else."""

import sys

INTERRUPTED = 130


def main() -> None:
    """The entry point of `devops-chatbot`."""
    try:
        from devops_chatbot.cli.commands import run
    except KeyboardInterrupt:  # the imports take a moment
        sys.exit(INTERRUPTED)
    sys.exit(run(sys.argv[1:]))
