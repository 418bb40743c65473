"""The command line. It speaks HTTP through `devops_chatbot.client` and nothing else."""

import sys


def main() -> None:
    """The entry point of `devops-chatbot`."""
    from devops_chatbot.cli.commands import run

    sys.exit(run(sys.argv[1:]))
