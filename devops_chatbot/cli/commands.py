"""The root command: serve, ask, doctor, settings, and the groups kb, models, sandbox, tools and approvals."""

import importlib.metadata
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.exceptions import TyperException

from devops_chatbot.chat import SearchMode
from devops_chatbot.cli import INTERRUPTED, approvals, kb, models, sandbox, scenarios, tools
from devops_chatbot.cli.connection import Link
from devops_chatbot.cli.output import error, note, print_json, print_table, said, shown
from devops_chatbot.cli.stdin import given_text
from devops_chatbot.config import settings as settings_module
from devops_chatbot.errors import BadRequest, ChatbotError, ConfigError, LimitReached, Unavailable
from devops_chatbot.schemas.threads import NewMessage

EXIT_CODES: dict[type[ChatbotError], int] = {
    ChatbotError: 1,
    BadRequest: 1,
    ConfigError: 2,
    Unavailable: 3,
    LimitReached: 4,
}
DEBUG = "DEBUG"
"""An environment variable: unforeseen errors end with their traceback."""

app = typer.Typer(
    name="devops-chatbot",
    help="Answers from your own runbooks, with citations.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog="Exit codes: 0 done, 1 the question or the input was wrong, 2 settings, 3 something needed is unavailable, "
    "4 a limit stopped it.",
)
app.add_typer(kb.app, name="kb")
app.add_typer(models.app, name="models")
app.add_typer(sandbox.app, name="sandbox")
app.add_typer(scenarios.app, name="scenarios")
app.add_typer(tools.app, name="tools")
app.add_typer(approvals.app, name="approvals")

Json = Annotated[bool, typer.Option("--json", help="Print what the route returned.")]


def run(arguments: Sequence[str]) -> int:
    """Run one command; returns its exit code and prints an error to standard error."""
    try:
        result = app(list(arguments), prog_name="devops-chatbot", standalone_mode=False)
    except TyperException as wrong:
        if type(wrong).__name__ == "NoArgsIsHelpError":  # typer keeps the class to itself
            note(wrong.format_message())
            return 1
        error(f"{wrong.format_message()} (see devops-chatbot --help)")
        return 1
    except ChatbotError as failed:
        error(failed.reason)
        return exit_code(type(failed))
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as unforeseen:
        if os.environ.get(DEBUG):
            raise
        error(f"{type(unforeseen).__name__}: {unforeseen}. This is a defect of ours; {DEBUG}=1 shows where.")
        return 1
    return result if isinstance(result, int) else 0


def exit_code(kind: type[ChatbotError]) -> int:
    """The exit code of an error class."""
    return next(EXIT_CODES[base] for base in kind.__mro__ if base in EXIT_CODES)


def _print_version(asked: bool) -> None:
    if asked:
        print(importlib.metadata.version("devops-chatbot"))
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    url: Annotated[
        str | None, typer.Option(help="Talk to this server instead of the one on this machine.", metavar="URL")
    ] = None,
    version: Annotated[  # noqa: ARG001 its callback does the work
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    context.obj = Link(url)


@app.command()
def serve(
    ui: Annotated[bool, typer.Option("--ui/--no-ui", help="Start the web pages too.")] = True,
) -> None:
    """Start the API and the web pages; Ctrl-C stops both."""
    import logging

    from devops_chatbot.server.serve import Started
    from devops_chatbot.server.serve import serve as run_server

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    settings = settings_module.load()

    def announce(started: Started) -> None:
        if started.ui:
            print(f"Web pages  {started.ui}")
        print(f"API        {started.api}  (documentation at {started.api}/docs)")
        print(f"Ready after {started.seconds:.1f} s. Data in {settings.data_dir}. Ctrl-C stops.", flush=True)

    run_server(settings, ui=ui, announce=announce)


@app.command()
def ask(
    context: typer.Context,
    text: Annotated[str, typer.Argument(help="The question; - or nothing reads standard input.")] = "-",
    knowledge_bases: Annotated[
        list[str] | None, typer.Option("--kb", help="Ask only this knowledge base; may be repeated.", metavar="NAME")
    ] = None,
    route: Annotated[str | None, typer.Option(help="Overrule the choice of the route.", metavar="NAME")] = None,
    model: Annotated[str | None, typer.Option(help="A model's name.", metavar="NAME")] = None,
    mode: Annotated[SearchMode, typer.Option(help="Which index to ask.")] = "hybrid",
    limit: Annotated[int, typer.Option(help="Passages given to the writer.", min=1, max=50)] = 8,
    threshold: Annotated[float, typer.Option(help="Leave out passages with a lower score.", min=0, max=1)] = 0.0,
    history: Annotated[int, typer.Option(help="Earlier messages of the conversation that count.", min=0, max=100)] = 10,
    thread: Annotated[str | None, typer.Option(help="Go on with this conversation.", metavar="ID")] = None,
    as_json: Json = False,
) -> int:
    """Ask a question and read the answer while it is written."""
    from devops_chatbot.cli.asking import ask_and_print

    link: Link = context.obj
    message = NewMessage(
        text=given_text(text),
        knowledge_bases=tuple(knowledge_bases or ()),
        route=route,
        model=model,
        mode=mode,
        limit=limit,
        score_threshold=threshold,
        history_turns=history,
    )
    with link.client() as client:
        failed = ask_and_print(client, message, thread=thread, as_json=as_json)
    return 0 if failed is None else exit_code(failed)


@app.command()
def doctor(context: typer.Context, as_json: Json = False) -> int:
    """Check everything that the product needs, with one real call of each model."""
    from devops_chatbot.cli.doctor import examine

    link: Link = context.obj
    with link.client() as client:
        readiness = examine(client)
    if as_json:
        print_json(readiness)
    else:
        note(f"Version {readiness.version}. {link.where}")
        print_table(
            ("what", "state", "why"), [(check.name, check.state, said(check.why)) for check in readiness.checks]
        )
    return 0 if readiness.ready else EXIT_CODES[Unavailable]


@app.command()
def settings(context: typer.Context, as_json: Json = False) -> None:
    """What is in force, and where each value comes from."""
    link: Link = context.obj
    with link.client() as client:
        found = client.settings()
    if as_json:
        print_json(found)
        return
    note(f"File: {found.file or 'none (chatbot.toml in the working directory, or CHATBOT_CONFIG)'}")
    print_table(
        ("setting", "value", "from", "meaning"),
        [(row.key, shown(row.value), row.origin, row.description) for row in found.settings],
    )
