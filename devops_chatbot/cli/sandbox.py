"""The group sandbox: build the image, test the walls, run code, serve, look and clean."""

import dataclasses
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from devops_chatbot.cli.connection import Link
from devops_chatbot.cli.output import error, note, print_json, print_json_rows, print_table, said
from devops_chatbot.config import settings as settings_module
from devops_chatbot.errors import BadRequest
from devops_chatbot.i18n import Reason
from sandbox.http.remote import RemoteSandbox
from sandbox.model import Artifact, AttackResult, OutputChunk

app = typer.Typer(help="Run code in containers that it cannot leave.", no_args_is_help=True, rich_markup_mode=None)
Json = Annotated[bool, typer.Option("--json", help="Print what the route returned.")]
FAILED = 1


@app.command()
def build(
    base: Annotated[
        str | None,
        typer.Option(
            help="An image with Python to build on, such as python:3.11-slim; without it, one is made here.",
            metavar="IMAGE",
        ),
    ] = None,
    languages: Annotated[
        list[str] | None, typer.Option("--language", help="Only this language; may be repeated.", metavar="L")
    ] = None,
    mirror: Annotated[str | None, typer.Option(help="The Debian mirror for a base made here.", metavar="URL")] = None,
    as_json: Json = False,
) -> None:
    """Build the image that sessions run in. Nothing else ever pulls or builds one."""
    from sandbox.docker import image_build
    from sandbox.docker.engine import Engine

    chosen = settings_module.load().sandbox
    image = image_build.build(
        Engine(chosen.engine or None),
        base=base,
        chosen=languages or (),
        tag=chosen.image,
        mirror=mirror,
        say=lambda line: note(line.rstrip()),
    )
    if as_json:
        print_json(image)
    else:
        print(f"{image.name}  version {image.version}  {image.digest}  on {image.base}")


@app.command()
def selftest(context: typer.Context, as_json: Json = False) -> int:
    """Try to break out on the sandbox's host, and say what held."""
    with _sandbox(context) as sandbox:
        if as_json:
            results = sandbox.selftest()
            print_json_rows(results)
        else:
            results = sandbox.selftest(lambda result: note(f"{_verdict(result)}  {said(result.attack)}"))
            rows = [
                (_verdict(r), said(r.attack), said(r.detail), said(r.control), round(r.seconds, 1)) for r in results
            ]
            print_table(("", "attack", "what happened", "without the protection", "s"), rows)
    broken = sum(not result.held for result in results)
    note(f"{len(results) - broken} of {len(results)} attacks held off.")
    return FAILED if broken else 0


@app.command()
def run(
    context: typer.Context,
    file: Annotated[str, typer.Argument(help="The code; - or nothing reads standard input.", metavar="[FILE|-]")] = "-",
    language: Annotated[str | None, typer.Option(help="The language; by default, the file's ending says it.")] = None,
    timeout: Annotated[float | None, typer.Option(help="Longest time in seconds.", min=0.1)] = None,
    network: Annotated[
        list[str] | None,
        typer.Option("--host", help="A host that the code may reach; may be repeated.", metavar="HOST"),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Keep figures and files of the run in this folder.")] = None,
    as_json: Json = False,
) -> int:
    """Run code in a session of its own; its exit code is ours."""
    from devops_chatbot.sandbox_bootstrap import usual_limits

    code = sys.stdin.read() if file == "-" else _read(Path(file))
    limits = usual_limits(settings_module.load().sandbox)
    if network or timeout:
        limits = dataclasses.replace(limits, network=tuple(network or ()), seconds=max(limits.seconds, timeout or 0))
    if out is not None:
        _make(out)
    chosen = language or _ENDINGS.get(Path(file).suffix, "python")
    with _sandbox(context) as sandbox:
        session = sandbox.open(limits, language=chosen)
        try:
            execution = session.run(code, timeout_s=timeout, watch=None if as_json else _print)
            if out is not None:
                for artifact in execution.artifacts:
                    target = out / artifact.name.replace("/", "_")
                    if artifact.kind == "file":
                        target.write_bytes(b"".join(session.files.get(artifact.name)))
                    else:
                        target.write_bytes(artifact.data)
                    note(f"kept {target}")
        finally:
            session.close()
    if as_json:
        print_json(execution)
    elif execution.why or execution.timed_out or execution.truncated:
        reasons = [Reason("run.timed_out")] * execution.timed_out + [Reason("run.truncated")] * execution.truncated
        error(Reason("run.reasons", reasons=[*reasons, *filter(None, [execution.why])]))
    return execution.exit_code


@app.command()
def serve() -> None:
    """Serve sandboxes to other machines: the one process that needs the container engine."""
    from devops_chatbot.server.sandbox_server import serve as run_server

    settings = settings_module.load()
    run_server(settings.sandbox, data_dir=settings.data_dir, announce=lambda text: print(text, flush=True))


@app.command(name="list")
def list_sessions(context: typer.Context, as_json: Json = False) -> None:
    """The sessions that are open, and what the sandbox is."""
    with _sandbox(context) as sandbox:
        infos = sandbox.list()
        ready = sandbox.ready()
    if as_json:
        print_json_rows(infos)
        return
    note(
        f"{ready.engine}: image {ready.image} version {ready.version}, runs {', '.join(ready.languages)}; "
        f"{ready.sessions} of {ready.capacity} sessions, {ready.warm} warm."
    )
    rows = [
        (i.id, i.language, i.caller, i.state, i.runs, i.limits.memory_mb, ", ".join(i.limits.network)) for i in infos
    ]
    print_table(("id", "language", "caller", "state", "runs", "memory MB", "network"), rows)


@app.command()
def clean(context: typer.Context) -> None:
    """Close every session, and remove containers that an earlier process left behind."""
    with _sandbox(context) as sandbox:
        infos = sandbox.list()
        for info in infos:
            sandbox.get(info.id).close()
        sandbox.ready()  # looks at the engine anew, which removes what was left behind
    note(f"{len(infos)} sessions closed.")


@app.command()
def status(context: typer.Context, as_json: Json = False) -> None:
    """Whether code can be run here, and with what."""
    with _sandbox(context) as sandbox:
        ready = sandbox.ready()
    if as_json:
        print_json(ready)
    else:
        print_table(("what", "value"), [(name, str(value)) for name, value in dataclasses.asdict(ready).items()])


_ENDINGS = {".py": "python", ".sh": "shell", ".bash": "shell", ".js": "node", ".mjs": "node", ".java": "java"}


@contextmanager
def _sandbox(context: typer.Context) -> Iterator[RemoteSandbox]:
    link: Link = context.obj
    with link.sandbox() as sandbox:
        yield sandbox


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as wrong:
        raise BadRequest("cli.not_text", path=path, error=wrong) from wrong


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as wrong:
        raise BadRequest("cli.bad_out", folder=folder, error=wrong.strerror) from wrong


def _print(piece: OutputChunk | Artifact) -> None:
    if isinstance(piece, OutputChunk):
        stream = sys.stderr if piece.stream == "stderr" else sys.stdout
        stream.write(piece.text)
        stream.flush()
    else:
        note(f"[{piece.kind} {piece.name}, {piece.size} bytes]")


def _verdict(result: AttackResult) -> str:
    return "held" if result.held else "BROKE"
