"""The commands of scenarios."""

import json
from typing import Annotated

import typer

from devops_chatbot.cli.connection import Link
from devops_chatbot.cli.output import language, print_json_rows, print_table, said

app = typer.Typer(help="Scenarios: list, schema.", rich_markup_mode=None)

Json = Annotated[bool, typer.Option("--json", help="Print what the route returned.")]


@app.callback(invoke_without_command=True)
def overview(context: typer.Context) -> None:
    """Scenarios: list, schema."""
    if context.invoked_subcommand is None:
        list_scenarios(context)


@app.command("list")
def list_scenarios(context: typer.Context, as_json: Json = False) -> None:
    """The ways that a question can take, each ready, disabled or failed and why."""
    link: Link = context.obj
    with link.client() as client:
        found = client.scenarios()
    if as_json:
        print_json_rows(found)
        return
    print_table(
        ("name", "state", "what", "why"),
        [(one.name, one.state, one.purpose.get(language(), one.purpose.get("en", "")), said(one.why)) for one in found],
    )


@app.command()
def schema(context: typer.Context) -> None:
    """The JSON Schema of a scenario's file, for editors."""
    link: Link = context.obj
    with link.client() as client:
        print(json.dumps(client.scenario_schema(), indent=2, ensure_ascii=False))
