"""The image that sessions run in: what goes into it, its version, and how it is built without a registry."""

import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from devops_chatbot.errors import ConfigError, SandboxUnavailable
from sandbox.docker.engine import LABEL, Engine
from sandbox.docker.hardening import FIRST_USER, GROUP, USERS
from sandbox.languages import known

TAG = "devops-chatbot-sandbox:latest"
BASE_REPOSITORY, BASE_TAG = "devops-chatbot-sandbox-base", "bookworm"
VERSION_LABEL = f"{LABEL}.version"
FOLDER_LABEL = f"{LABEL}.folder"
BASE_LABEL = f"{LABEL}.base"
FOLDER = "/work"
SOURCES = Path(__file__).parent.parent / "image"
FRAMES = Path(__file__).parent / "frames.py"
SUITE = "bookworm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image that is ours and of this version; `folder` is where a session's files lie."""

    name: str
    digest: str
    version: str
    base: str
    folder: str


def languages() -> tuple[str, ...]:
    """The languages that there are, in the order of their layers: what changes least comes first."""
    names = (language.name for language in known())
    return tuple(sorted(names, key=lambda name: (name != "python", name != "shell", name)))


def version() -> str:
    """Identity of everything of ours that goes into the image; an image of another version is not used."""
    digest = hashlib.sha256()
    for name, path in _files():
        digest.update(f"{name}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def find(engine: Engine, name: str = TAG) -> Image:
    """The image, checked. Raises `SandboxUnavailable` that says how to get one."""
    found = engine.image(name)
    if found is None:
        raise SandboxUnavailable("sandbox.no_image", engine=engine.address, image=name)
    labelled = found.labels.get(VERSION_LABEL, "none")
    if labelled != version():
        raise SandboxUnavailable("sandbox.old_image", image=name, found=labelled, needed=version())
    return Image(
        name=name,
        digest=found.digest,
        version=labelled,
        base=found.labels.get(BASE_LABEL, ""),
        folder=found.labels.get(FOLDER_LABEL, FOLDER),
    )


def build(
    engine: Engine,
    *,
    base: str | None = None,
    chosen: Sequence[str] = (),
    tag: str = TAG,
    mirror: str | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Image:
    """Build the image: on `base` when one is named, otherwise on a base made here from Debian packages.

    `chosen` are the languages, all by default. Raises `ConfigError` when a base cannot be made here.
    """
    unknown = sorted(set(chosen) - set(languages()))
    if unknown:
        raise ConfigError("sandbox.no_language", language=unknown[0], known=languages())
    if base is None:
        base = f"{BASE_REPOSITORY}:{BASE_TAG}"
        if engine.image(base) is None:
            _make_base(engine, mirror=mirror, say=say)
    wanted = [name for name in languages() if not chosen or name in chosen]
    labels = {VERSION_LABEL: version(), FOLDER_LABEL: FOLDER, BASE_LABEL: base}
    for line in engine.build(_context(dockerfile(wanted)), tag=tag, labels=labels, arguments={"BASE": base}):
        say(line)
    return find(engine, tag)


def dockerfile(wanted: Sequence[str]) -> str:
    """The build's steps: a layer for what all share, one a language, and our own files last."""
    lines = ["ARG BASE", "FROM $BASE", "USER root", "COPY install.sh /opt/sandbox/install.sh"]
    lines.append("RUN sh /opt/sandbox/install.sh")
    folders = {name: f"/opt/sandbox/languages/{name}" for name in wanted}
    for name, home in folders.items():
        if (SOURCES / "languages" / name / "install.sh").exists():
            inputs = [
                file for file in ("install.sh", "requirements.txt") if (SOURCES / "languages" / name / file).exists()
            ]
            lines += [*(f"COPY languages/{name}/{file} {home}/{file}" for file in inputs), f"RUN sh {home}/install.sh"]
    # The drivers come after every package, so that a change of theirs builds in seconds.
    for name, home in folders.items():
        lines.append(f"COPY languages/{name} {home}")
        if (SOURCES / "languages" / name / "compile.sh").exists():
            lines.append(f"RUN sh {home}/compile.sh")
    lines += [
        "COPY supervisor /opt/sandbox/supervisor",
        # Every session is a user of its own, by the same name.
        f"RUN seq {FIRST_USER} {FIRST_USER + USERS - 1} |"
        f" sed 's|.*|sandbox:x:&:{GROUP}::{FOLDER}:/bin/bash|' >>/etc/passwd",
        "RUN python3 -m compileall -q /opt/sandbox && chmod -R a+rX,go-w /opt/sandbox"
        # No program of the image may raise privileges, whatever the container's options say.
        " && find / -xdev -type f -perm /6000 -exec chmod a-s {} +",
        f"USER {FIRST_USER}:{GROUP}",
        f"WORKDIR {FOLDER}",
    ]
    return "\n".join(lines) + "\n"


def _files() -> Iterator[tuple[str, Path]]:
    """Everything that is copied into the image, by its place in the build's context."""
    for path in sorted(SOURCES.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(SOURCES).as_posix(), path
    yield "supervisor/frames.py", FRAMES


def _context(steps: str) -> io.BytesIO:
    """The build's context as a tar that depends on the files' content only, so that layers are found again."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, data in [("Dockerfile", steps.encode()), *((name, path.read_bytes()) for name, path in _files())]:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            tar.addfile(entry, io.BytesIO(data))
    packed.seek(0)
    return packed


def _make_base(engine: Engine, *, mirror: str | None, say: Callable[[str], None]) -> None:
    """A root file system of Debian packages with Python, imported as an image: no registry is asked for anything."""
    program = shutil.which("debootstrap") or shutil.which("debootstrap", path="/usr/sbin:/sbin")
    if program is None or os.geteuid() != 0:
        raise ConfigError("sandbox.no_debootstrap")
    with tempfile.TemporaryDirectory(prefix="sandbox-base-") as folder:
        command = [program, "--variant=minbase", "--include=python3,ca-certificates", SUITE, f"{folder}/root"]
        command += [mirror] if mirror else []  # without one debootstrap asks Debian's own
        say(" ".join(command))
        process = subprocess.Popen(  # noqa: S603 - a fixed command
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        last = ""
        with process:
            for line in process.stdout or ():
                last = line.rstrip()
                say(last)
        if process.returncode:
            raise SandboxUnavailable("sandbox.debootstrap_failed", mirror=mirror or "the Debian mirror", error=last)
        packed = Path(folder, "base.tar")
        subprocess.run(["tar", "-C", f"{folder}/root", "-cf", packed, "."], check=True)  # noqa: S603, S607
        engine.import_base(packed, repository=BASE_REPOSITORY, tag=BASE_TAG)
