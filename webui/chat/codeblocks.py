"""The fenced code blocks of an answer: where they stand, what is in them, and which of them can be run."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from knowledge.text.markdown import block_tokens, fence_around
from sandbox.model import Language

_PROMPT = re.compile(r"^[ \t]*(?:[\w.@:~/-]*[$%]|[\w.@:~/-]+#|>)[ \t]+(.*)$")
TRANSCRIPTS = frozenset({"console", "shell-session", "shellsession", "terminal"})
"""Labels of blocks that show commands behind a prompt, and what they printed."""
_AS_SHELL = TRANSCRIPTS | {"zsh"}
HIGHLIGHT = {"node": "javascript", "shell": "bash"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A fenced block: its number among all of the answer's (from 0), the label behind the fence, and what is inside."""

    number: int
    label: str
    text: str


def parts(answer: str) -> Iterator[str | Code]:
    """An answer in order: Markdown as it stands, and each closed or open fenced block."""
    lines = answer.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    fences = [token for token in block_tokens(answer) if token.type == "fence"]
    after = 0
    for number, token in enumerate(fences):
        begin, end = token.map or (after, after)
        if any(lines[after:begin]):
            yield "\n".join(lines[after:begin])
        label = token.info.partition("{")[0].split()
        yield Code(number=number, label=label[0] if label else "", text=token.content.removesuffix("\n"))
        after = end
    if any(lines[after:]):
        yield "\n".join(lines[after:])


def fenced(code: Code) -> str:
    """The block as Markdown again, not indented."""
    fence = fence_around(code.text)
    return f"{fence}{code.label}\n{code.text}\n{fence}"


def runnable(answer: str, names: Mapping[str, str]) -> list[tuple[Code, str]]:
    """The blocks that can be run, each with its language; `names` gives the language for a label."""
    blocks = (part for part in parts(answer) if isinstance(part, Code))
    return [
        (block, names[block.label.lower()]) for block in blocks if block.label.lower() in names and block.text.strip()
    ]


def names_of(languages: Sequence[Language]) -> dict[str, str]:
    """The language for every label that stands for one."""
    names = {alias: each.name for each in languages for alias in (each.name, *each.aliases)}
    if "shell" in names.values():
        names |= dict.fromkeys(_AS_SHELL, "shell")
    return names


def to_run(code: Code) -> str:
    """What of the block is code: of a transcript the commands behind the prompts, without their output."""
    if code.label.lower() not in TRANSCRIPTS:
        return code.text
    commands = [match.group(1) for line in code.text.split("\n") if (match := _PROMPT.match(line))]
    return "\n".join(commands) if commands else code.text
