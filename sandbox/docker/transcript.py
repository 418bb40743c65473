"""What a run says, put together: text as it comes, artifacts, and the end. None of it is trusted."""

import codecs
import json
import mimetypes
import re
from typing import cast

from pydantic import BaseModel, ValidationError, model_validator

from devops_chatbot.i18n import Reason
from devops_chatbot.values import from_object
from sandbox.docker.frames import BrokenFrames, Header
from sandbox.model import TABLE_MIME, Artifact, ArtifactKind, Execution, FileEntry, OutputChunk, Stream, Watch

MAX_ARTIFACTS = 132
MAX_ROWS, MAX_COLUMNS = 1000, 100
"""As many as the drivers show: whoever draws a table relies on it."""
PLOTLY_MIME = "application/vnd.plotly.v1+json"
SHOWN_MIMES = {"image/png", "image/svg+xml", TABLE_MIME, PLOTLY_MIME}


_REASONS = {
    "the kernel ended a process of the session": Reason("run.process_ended"),
    "the session has no process left to start the interpreter with": Reason("run.no_process_left"),
    "interrupted before it began": Reason("run.interrupted_before"),
    "the interpreter did not start in time": Reason("run.interpreter_late"),
    "it did not stop when asked to, so every process of the session was ended": Reason("run.ended_by_force"),
}


class Transcript:
    """Collects the frames of one run. The container bounds what it sends; this bounds the container."""

    def __init__(self, output_bytes: int, artifact_bytes: int, watch: Watch | None) -> None:
        self._left = {"out": output_bytes, "shown": artifact_bytes}
        self._watch = watch
        decoder = codecs.getincrementaldecoder("utf-8")
        self._decoders = {"stdout": decoder("replace"), "stderr": decoder("replace")}
        self._text: dict[Stream, list[str]] = {"stdout": [], "stderr": []}
        self._artifacts: list[Artifact] = []

    def take(self, header: Header, body: bytes) -> None:
        """A piece of output or something shown. Raises `BrokenFrames`."""
        kind = "out" if "out" in header else "shown"
        self._left[kind] -= len(body)
        if self._left[kind] < 0 or len(self._artifacts) >= MAX_ARTIFACTS:
            raise BrokenFrames("more output than was allowed")
        if kind == "out":
            stream: Stream = "stderr" if header["out"] == "stderr" else "stdout"
            self._say(stream, self._decoders[stream].decode(body))
        elif "shown" in header:
            self._show(_shown(str(header["shown"]), body))

    def ended(self, done: object) -> Execution:
        """The whole of it, when the run has ended. Raises `BrokenFrames`."""
        if not isinstance(done, dict):
            raise BrokenFrames("an end without its result")
        for entry in entries(done.get("files")):
            mime = mimetypes.guess_type(entry.path)[0] or "application/octet-stream"
            self._show(Artifact(kind="file", name=entry.path, mime=mime, size=entry.size))
        try:
            return self._execution({**done, "why": _why(str(done.get("why", ""))[:500])})
        except ValidationError as error:
            raise BrokenFrames("an end that is none") from error

    def cut_off(self, seconds: float, *, timed_out: bool, why: Reason) -> Execution:
        """What there is of it, when the container went in the middle."""
        return self._execution(
            {"exit_code": 137, "seconds": seconds, "timed_out": timed_out, "state_lost": True, "why": why}
        )

    def _execution(self, outcome: dict[str, object]) -> Execution:
        for stream in self._text:
            self._say(stream, self._decoders[stream].decode(b"", final=True))
        said: dict[str, object] = {stream: "".join(text) for stream, text in self._text.items()}
        return from_object(Execution, {**outcome, **said, "artifacts": tuple(self._artifacts)})

    def _say(self, stream: Stream, text: str) -> None:
        if text:
            self._text[stream].append(text)
            if self._watch is not None:
                self._watch(OutputChunk(stream=stream, text=text))

    def _show(self, artifact: Artifact) -> None:
        self._artifacts.append(artifact)
        if self._watch is not None:
            self._watch(artifact)


class _Table(BaseModel):
    """The first rows of a data frame."""

    columns: list[str | int | float | None]
    index: list[str | int | float | None]
    rows: list[list[object]]
    total_rows: int
    total_columns: int

    @model_validator(mode="after")
    def _is_rectangular(self) -> "_Table":
        if len(self.rows) > MAX_ROWS or len(self.columns) > MAX_COLUMNS:
            raise ValueError("more than the first rows and columns")
        if len(self.rows) != len(self.index) or any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError("rows of different lengths")
        return self


def _shown(meta: str, data: bytes) -> Artifact:
    """An artifact as the code announced it, with a name and a type that can do no harm."""
    try:
        said = json.loads(meta)
        kind, name, mime = str(said["kind"]), str(said["name"]), str(said["mime"])
    except (ValueError, TypeError, KeyError) as error:
        raise BrokenFrames("an artifact without a kind, a name and a type") from error
    if kind not in ("figure", "table") or mime not in SHOWN_MIMES:
        raise BrokenFrames("an artifact of a kind that does not exist")
    if mime == TABLE_MIME:
        try:
            _Table.model_validate_json(data)
        except ValidationError as error:
            raise BrokenFrames("a table that is none") from error
    safe = re.sub(r"[^\w.-]+", "_", name).strip("._")[:100] or kind
    return Artifact(kind=cast(ArtifactKind, kind), name=safe, mime=mime, size=len(data), data=data)


def entries(listed: object) -> list[FileEntry]:
    """The files that a container lists, as far as they are well-formed."""
    if not isinstance(listed, list):
        return []
    return [
        FileEntry(path=str(entry["path"]), size=number(entry.get("size")))
        for entry in listed
        if isinstance(entry, dict) and "path" in entry
    ]


def number(value: object) -> int:
    """A whole number that a container sent. Raises `BrokenFrames`."""
    if not isinstance(value, int):
        raise BrokenFrames("a number is missing")
    return value


def _why(said: str) -> Reason | None:
    """What the supervisor gives as the reason of an end; words of another version of it are shown as they are."""
    memory, signal = "out of memory: ", "the interpreter was ended by signal "
    if said.startswith(memory):
        return Reason("run.out_of_memory", why=_why(said.removeprefix(memory)) or "")
    if said.startswith(signal):
        return Reason("run.signal", number=said.removeprefix(signal))
    return _REASONS.get(said) or (Reason.parse(said) if said else None)
