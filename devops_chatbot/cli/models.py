"""The commands of language models."""

from typing import Annotated

import typer

from devops_chatbot.cli.connection import Link
from devops_chatbot.cli.output import note, print_json, print_table, said

app = typer.Typer(help="Language models: list, test, switch.", rich_markup_mode=None)

Json = Annotated[bool, typer.Option("--json", help="Print what the route returned.")]
UNAVAILABLE = 3


@app.callback(invoke_without_command=True)
def overview(context: typer.Context) -> None:
    """Language models: list, test, switch."""
    if context.invoked_subcommand is None:
        list_models(context)


@app.command("list")
def list_models(context: typer.Context, as_json: Json = False) -> None:
    """Every model, what it does, and whether it is ready."""
    link: Link = context.obj
    with link.client() as client:
        found = client.models()
    if as_json:
        print_json(found)
        return
    print_table(
        ("name", "provider", "model", "context", "roles", "state", "why"),
        [
            (
                model.name,
                model.provider,
                model.model,
                model.context,
                ", ".join(model.roles),
                model.state,
                said(model.why),
            )
            for model in found.models
        ],
    )


@app.command("test")
def test_model(context: typer.Context, name: str, as_json: Json = False) -> int:  # noqa: PT028 no test
    """Call a model once."""
    link: Link = context.obj
    with link.client() as client:
        result = client.test_model(name)
    if as_json:
        print_json(result)
    else:
        print(
            f"{name}: {'ready' if result.ok else 'failed'} after {result.seconds:.1f} s. {said(result.detail)}".rstrip()
        )
    return 0 if result.ok else UNAVAILABLE


@app.command()
def use(
    context: typer.Context,
    role: Annotated[str, typer.Argument(help="answer, route, tools or graph")],
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Models, tried in this order; none: as the settings say.", metavar="[NAME]..."),
    ] = None,
    as_json: Json = False,
) -> None:
    """From now on let these models do the work of a role, or, without a name, those of the settings; survives a restart."""
    link: Link = context.obj
    with link.client() as client:
        found = client.assign_role(role, names) if names else client.reset_role(role)
    if as_json:
        print_json(found)
    else:
        note(f"{role}: {', '.join(found.roles.get(role, ())) or 'no language model'}")
