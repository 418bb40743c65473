"""Tells what a model thinks from what it answers, where it writes both into one text (`<think>…</think>` and its kin)."""

from dataclasses import dataclass

MARKS = (
    ("<think>", "</think>"),  # DeepSeek, Qwen and most others
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<thoughts>", "</thoughts>"),
    ("<reasoning>", "</reasoning>"),
    ("<reflection>", "</reflection>"),
    ("<seed:think>", "</seed:think>"),
    ("[think]", "[/think]"),  # Magistral
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("◁think▷", "◁/think▷"),  # Kimi
    (
        "<|channel|>analysis<|message|>",
        "<|end|><|start|>assistant<|channel|>final<|message|>",
    ),  # gpt-oss without a parser in front of it
)
_LONGEST = max(len(mark) for pair in MARKS for mark in pair)


@dataclass(frozen=True, slots=True)
class Piece:
    """The next piece of a reply: words of the answer, or of a thought.

    `recant`: what was taken for the answer until here was a thought, whose beginning the model did not mark.
    """

    text: str = ""
    thought: str = ""
    recant: bool = False


class ThoughtFilter:
    """Takes a text in pieces and gives it back with its thoughts apart.

    A mark counts at the beginning of a line outside fenced code, so that an answer may speak of `<think>`. A thought that is
    never closed goes on to the end. A closing mark without an opening one before it ends a thought that began with the text
    (chat templates put the opening mark into the prompt).
    """

    def __init__(self) -> None:
        self._held = ""
        self._closing = ""
        self._gap = False
        self._fenced = False
        self._line = ""
        """What was given of the line that is under way."""
        self._open = False
        """Whether a thought was marked before; then a closing mark alone means nothing."""

    def add(self, text: str) -> list[Piece]:
        """What can be told now; what may be the beginning of a mark is held back."""
        if not (self._held or self._closing or self._gap) and not set(text) & set("<[◁\n`~") and self._line.strip():
            self._line += text
            return [Piece(text=text)] if text else []
        self._held += text
        return self._told(last=False)

    def end(self) -> list[Piece]:
        """What was held back."""
        return self._told(last=True)

    def _told(self, *, last: bool) -> list[Piece]:
        pieces: list[Piece] = []
        while self._held:
            if self._closing:
                place = self._held.lower().find(self._closing)
                if place < 0:
                    safe = len(self._held) if last else max(0, len(self._held) - _LONGEST)
                    thought, self._held = self._held[:safe], self._held[safe:]
                    if thought:
                        pieces.append(Piece(thought=thought))
                    break
                pieces.append(Piece(thought=self._held[:place]))
                self._held = self._held[place + len(self._closing) :]
                self._closing, self._line, self._gap = "", "", True
                continue
            if self._gap:  # the empty lines between a thought and what follows
                self._held = self._held.lstrip()
                self._gap = not self._held
                continue
            head, newline, rest = self._held.partition("\n")
            start = not self._line.strip()
            beginning = head.lstrip().lower()
            if start and not self._fenced:
                opened = next((pair for pair in MARKS if beginning.startswith(pair[0])), None)
                if opened:
                    self._closing, self._open = opened[1], True
                    self._held = self._held.lstrip()[len(opened[0]) :]
                    continue
                if not last and not newline and beginning and any(mark.startswith(beginning) for mark, _ in MARKS):
                    break
            if not self._open and not self._fenced:
                place, closed = _closing_mark(head)
                if closed and (self._line + head[:place]).count("`") % 2 == 0:
                    self._open, self._line = True, ""
                    pieces.append(Piece(text=head[:place]))
                    pieces.append(Piece(recant=True))
                    self._held, self._gap = self._held[place + len(closed) :], True
                    continue
                if not last and not newline and (begun := _begun_closing(head)):
                    pieces.append(Piece(text=head[:-begun]))
                    self._line += head[:-begun]
                    self._held = head[-begun:]
                    break
            if not newline and not last and start and head.strip() in ("`", "``", "~", "~~", ""):
                break  # a fence may be under way, or only space was said
            pieces.append(Piece(text=head + newline))
            self._line += head
            if newline:
                if self._line.lstrip().startswith(("```", "~~~")):
                    self._fenced = not self._fenced
                self._line = ""
            self._held = rest
        return [piece for piece in pieces if piece != Piece()]


def without_thoughts(text: str) -> str:
    """A whole text without its thoughts."""
    told = ThoughtFilter()
    said = ""
    for piece in (*told.add(text), *told.end()):
        said = "" if piece.recant else said + piece.text
    return said


def _closing_mark(line: str) -> tuple[int, str]:
    """Where the first closing mark of a line stands, and the mark; an empty one when there is none."""
    lower = line.lower()
    return min(((place, mark) for _, mark in MARKS if (place := lower.find(mark)) >= 0), default=(-1, ""))


def _begun_closing(line: str) -> int:
    """How many characters at the end of a line may be the beginning of a closing mark."""
    lower = line.lower()
    longest = (size for size in range(min(_LONGEST, len(line)), 0, -1))
    return next((size for size in longest if any(mark.startswith(lower[-size:]) for _, mark in MARKS)), 0)
