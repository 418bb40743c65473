"""The commands of approvals: calls that wait for a person."""

import json
from typing import Annotated, Any

import typer

from devops_chatbot.calls import Approval
from devops_chatbot.cli.asking import print_events
from devops_chatbot.cli.connection import Link
from devops_chatbot.cli.output import note, print_json, print_json_rows, print_table
from devops_chatbot.errors import BadRequest, NotFound
from devops_chatbot.schemas.tools import NewDecision

app = typer.Typer(help="Calls that wait for a person: list, approve, deny.", rich_markup_mode=None)

Json = Annotated[bool, typer.Option("--json", help="Print what the route returned.")]
Note = Annotated[str, typer.Option("--note", help="For the agent, such as why not.")]


@app.callback(invoke_without_command=True)
def overview(context: typer.Context) -> None:
    """Calls that wait for a person: list, approve, deny."""
    if context.invoked_subcommand is None:
        list_approvals(context)


@app.command("list")
def list_approvals(
    context: typer.Context,
    every: Annotated[bool, typer.Option("--all", help="Decided ones too.")] = False,
    as_json: Json = False,
) -> None:
    """The calls that wait, with what they would do."""
    link: Link = context.obj
    with link.client() as client:
        found = client.approvals(state=None if every else "open")
    if as_json:
        print_json_rows(found)
        return
    print_table(
        ("id", "state", "effect", "call", "asked"),
        [(each.id, each.state, each.call.effect, _call(each), each.question) for each in found],
    )


@app.command()
def approve(
    context: typer.Context,
    approval: str,
    session: Annotated[bool, typer.Option("--session", help="This tool needs no more approval there.")] = False,
    arguments: Annotated[
        str | None, typer.Option("--arguments", help="JSON, in the place of the proposed ones.", metavar="JSON")
    ] = None,
    remark: Note = "",
    as_json: Json = False,
) -> None:
    """Let a call run, and read how the answer goes on."""
    decision = NewDecision(
        approve=True,
        scope="session" if session else "once",
        arguments=_read(arguments) if arguments else None,
        note=remark,
    )
    _decide(context, approval, decision, as_json=as_json)


@app.command()
def deny(context: typer.Context, approval: str, remark: Note = "", as_json: Json = False) -> None:
    """Do not let a call run, and read how the answer goes on."""
    _decide(context, approval, NewDecision(approve=False, note=remark), as_json=as_json)


def _decide(context: typer.Context, approval: str, decision: NewDecision, *, as_json: bool) -> None:
    link: Link = context.obj
    with link.client() as client:
        decided = client.decide(approval, decision)
        if not as_json:
            note(f"{decided.id}: {decided.state}")
        try:
            print_events(client.thread_events(decided.thread), decided.thread, new=False, as_json=False)
        except NotFound:
            note("The answer stands in the conversation.")
        if as_json:
            print_json(client.approval(approval))


def _call(approval: Approval) -> str:
    return f"{approval.call.tool}({json.dumps(dict(approval.call.arguments), ensure_ascii=False)})"


def _read(text: str) -> dict[str, Any]:
    try:
        given = json.loads(text)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise BadRequest("client.no_arguments", text=text)
    return given
