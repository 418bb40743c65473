"""Makes a follow-up question ("and on Postgres?") stand on its own: by a language model, or by a few rules over the thread."""

import re
from collections.abc import Sequence
from contextlib import aclosing

from devops_chatbot.chat import Turn
from devops_chatbot.errors import ChatbotError
from devops_chatbot.llm import NamedModel
from devops_chatbot.llm.prompts import fill
from devops_chatbot.llm.reply import Reply
from devops_chatbot.llm.thoughts import without_thoughts
from devops_chatbot.routing.examples import any_of, examples, small_talk
from devops_chatbot.routing.pasted import essence
from devops_chatbot.routing.rewrites import question_in
from knowledge.text.entities import identifiers
from knowledge.text.language import language_of, terms

LONGEST_REWRITE = 400
SHORT = 8
"""Content words up to which a question that points back is not understandable by itself."""
TURNS_SHOWN = 6

_OPENING = re.compile(
    rf"^(?:(?:ok|okay|thanks|great|so|but|好的|谢谢)[,.!，]?\s*)*(?:{any_of(examples('openings'))})[\s,，]*",
    re.IGNORECASE,
)
_POINTING = re.compile(any_of(examples("pointing")), re.IGNORECASE)
_ASKING = re.compile(any_of(examples("asking")), re.IGNORECASE)
_TAIL = re.compile(r"\s*[上里中下]?\s*呢?[\s?？。.!！]*$")
_LEAD = re.compile(r"(?:(on|in|for|with|from|to|using|under|at|of|by|the)\s+)+", re.IGNORECASE)
_WHOLE = re.compile(
    r"^(?:how|what|where|when|who|which|why|is|are|can|could|do|does|should|will)\b(?!\s+(?:about|if)\b)|哪|什么|怎么|如何|为什么|谁|多少|吗[?？]?$",
    re.IGNORECASE,
)
"""A question that is whole, whatever word it opens with."""
_KINDS = "组队部科室站线省市县子年月日号版员层期级"
"""Last characters of Chinese words that name one of several things of a kind."""
_LATIN = re.compile(r"[A-Za-z\d][\w+#./-]*[\w+#]|[A-Za-z\d]")


def standalone(question: str, history: Sequence[Turn]) -> str:
    """The question with what it refers to, by rules over the earlier questions; itself when it needs nothing. Of a long one with
    something pasted, what it is about.
    """
    question, before, titles = essence(question), "", ""
    for turn in history:
        if turn.role == "assistant":
            titles = " ".join(dict.fromkeys(one.title for one in turn.citations)) or titles
        elif not small_talk(turn.text):
            before = _joined(before, essence(turn.text).strip(), titles)
    return question if small_talk(question) else _joined(before, question.strip(), titles)


async def understood(question: str, history: Sequence[Turn], models: Sequence[NamedModel]) -> str:
    """By the first of the models that answers, else by the rules."""
    if not any(turn.role == "user" for turn in history):
        return standalone(question, history)
    for model in models:
        if model.extractive:
            continue
        try:
            return await _rewritten(question, history, model)
        except ChatbotError:  # the model's state says why; the rules do the work for now
            continue
    return standalone(question, history)


async def _rewritten(question: str, history: Sequence[Turn], model: NamedModel) -> str:
    """As a language model makes it stand on its own; as the rules do when no question is in its answer."""
    from langchain_core.messages import HumanMessage

    shown = "\n".join(f"{turn.role}: {without_thoughts(turn.text)[:600]}" for turn in history[-TURNS_SHOWN:])
    prompt = fill("rewrite", language_of(question), history=shown, question=question)
    said = ""
    reply = Reply(limit=model.max_output)
    async with aclosing(reply.read(model, [HumanMessage(prompt)])) as pieces:
        async for piece in pieces:
            said = ("" if piece.recant else said) + piece.text
            if len(said) > 2 * LONGEST_REWRITE:
                break
    found = question_in(said, question=question, conversation=shown, longest=LONGEST_REWRITE)
    return standalone(question, history) if found is None else found


def _joined(before: str, question: str, titles: str) -> str:
    """The question, with the subject of the one before where it leans on it: because it opens or ends as such questions do,
    points at something, or has no word of its own.
    """
    opening = _OPENING.match(question)
    rest = question[opening.end() :] if opening else question
    fragment = _TAIL.sub("", rest)
    bare = question.endswith(("?", "？")) and bool(_LATIN.fullmatch(fragment) or _LEAD.match(fragment))
    opens = bool(opening) or bare or question.rstrip("?？。!！ ").endswith("呢")
    points = bool(_POINTING.search(re.sub("其[他中实]", "", question))) and not identifiers(question)
    empty = not terms(_ASKING.sub(" ", fragment))
    if not before or len(terms(question)) > SHORT or not (opens or points or empty):
        return question
    if opens and not empty and not points and _WHOLE.search(rest):
        return rest
    if opens and not empty and not points:
        return _swapped(before, fragment, titles)
    return f"{subject_of(before, titles if points else '')} {rest}"


def stands_alone(question: str) -> bool:
    """Whether a question points at nothing and has several words that carry meaning beyond what it asks of them."""
    return not _POINTING.search(question) and len(set(terms(_ASKING.sub(" ", question)))) > 1


def subject_of(before: str, titles: str) -> str:
    """What a question is about, without what it asks of it: "lag on MySQL" of "How do I check the lag on MySQL?"; what was
    cited, where a long question names nothing.
    """
    names = identifiers(before)
    if not names and titles and len(terms(before)) > SHORT / 2:
        return titles
    if language_of(before) == "zh":
        return " ".join(
            re.findall(
                r"[\w.+#-]+", _ASKING.sub(" ", re.sub("是什么|什么|怎么|怎样|如何|为什么|哪个|是谁|谁", " ", before))
            )
        )
    words = before.rstrip("?.! ").split()
    while words and not terms(_ASKING.sub(" ", words[0])):
        words.pop(0)
    while words and not terms(_ASKING.sub(" ", words[-1])):
        words.pop()
    return " ".join(words) or before.rstrip("?？。.! ")


def _swapped(before: str, fragment: str, titles: str) -> str:
    """ "How do I check the lag on MySQL?" with "on Postgres" is the first question with the other name in it: in place of
    what ends alike, of what follows the same preposition, or of the only name.
    """
    lead = _LEAD.match(fragment)
    new = fragment[lead.end() :] if lead else fragment
    alike = _ends_alike(before, new)
    if alike:
        return before[: alike[0]] + new + before[alike[1] :]
    if lead:
        word = lead[0].split()[0]
        end = r"(?=\W*$)" if word == "the" else ""  # "the primary" in the middle may be what the new thing has too
        after = re.compile(rf"\b{word}\s+((?:(?:the|a|my|our) )?[\w.+/-]+(?-i: [A-Z\d][\w.-]*)*){end}", re.IGNORECASE)
        if places := [match.span(1) for match in after.finditer(before)]:
            return before[: places[-1][0]] + fragment[len(word) :].strip() + before[places[-1][1] :]
    if _LATIN.fullmatch(new):
        same = [
            match
            for match in _LATIN.finditer(before)
            if (match[0].isdigit() if new.isdigit() else _is_name(match[0], before, titles))
        ]
        if (
            len({match[0] for match in same}) > 1
        ):  # one written like a name is more of a name than one of the cited title
            same = [match for match in same if not match[0].islower()]
        if len({match[0] for match in same}) == 1:
            return before[: same[0].start()] + new + before[same[-1].end() :]
    subject = subject_of(before, "")
    if language_of(before) == "zh":
        return before.replace(subject, new) if subject in before else f"{new} {before}"
    return f"{before.rstrip('?？.! ')} {fragment}"


def _ends_alike(before: str, new: str) -> tuple[int, int] | None:
    """Where a question has something that ends like the new thing: `production cluster` for `staging cluster`, 生产环境 for
    测试环境, 订单组 for 支付组.
    """
    if new.isascii():
        words = new.split()
        pattern = rf"(?:[\w.-]+ ){{{len(words) - 1}}}{re.escape(words[-1])}\b" if len(words) > 1 else ""
        found = re.search(pattern, before) if pattern else None
        return found.span() if found else None
    for size in range(len(new) - 1, 0, -1):
        place = before.find(new[-size:])
        if place > 0 and (size > 1 or new[-1] in _KINDS):
            start = place + size - len(new)
            if size > 1:
                start = max(
                    match.end() for match in re.finditer(r"^|[^\u4e00-\u9fff]|[的在是把给和与]", before[:place])
                )
            return max(start, 0), place + size
    return None


def _is_name(word: str, before: str, titles: str) -> bool:
    """Whether a word of a question is a name: by its capital letters, or because what was cited is called so."""
    chinese = language_of(before) == "zh"
    if (before.startswith(word) and not chinese) or _ASKING.fullmatch(word):
        return False
    cited = set(terms(word)) & set(terms(titles))
    return (len(word) > 1 and not word.islower()) or bool(identifiers(word) or cited) or chinese
