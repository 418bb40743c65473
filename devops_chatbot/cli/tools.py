"""The commands of tools."""

import json
from typing import Annotated, Any

import typer

from devops_chatbot.cli.connection import Link
from devops_chatbot.cli.output import print_json, print_json_rows, print_table, said
from devops_chatbot.errors import BadRequest

app = typer.Typer(help="Tools of agents: list, test.", rich_markup_mode=None)

Json = Annotated[bool, typer.Option("--json", help="Print what the route returned.")]
FAILED = 3


@app.callback(invoke_without_command=True)
def overview(context: typer.Context) -> None:
    """Tools of agents: list, test."""
    if context.invoked_subcommand is None:
        list_tools(context)


@app.command("list")
def list_tools(context: typer.Context, as_json: Json = False) -> None:
    """Every toolset with its state, and its tools with what they change."""
    link: Link = context.obj
    with link.client() as client:
        found = client.tools()
    if as_json:
        print_json_rows(found)
        return
    rows: list[tuple[str, str, str, str]] = []
    for toolset in found:
        rows.append((toolset.name, toolset.state, "", said(toolset.why)))
        rows += [(f"  {tool.name}", "", tool.effect, " ".join(tool.description.split())) for tool in toolset.tools]
    print_table(("name", "state", "effect", "what"), rows)


@app.command("test")
def try_tool(
    context: typer.Context,
    name: str,
    arguments: Annotated[
        list[str] | None,
        typer.Argument(help="name=value; a value that is JSON is read as such.", metavar="[NAME=VALUE]..."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Call a tool that only reads, as an agent would."""
    link: Link = context.obj
    with link.client() as client:
        call = client.test_tool(name, dict(map(_argument, arguments or ())))
    if as_json:
        print_json(call)
    else:
        print(call.text)
    return 0 if call.state == "done" else FAILED


def _argument(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise BadRequest("client.no_argument", text=text)
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
