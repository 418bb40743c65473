"""Makes a follow-up question ("and on Postgres?") stand on its own: by a language model, or by rules over the thread."""

import re
from collections.abc import Sequence
from contextlib import aclosing

from devops_chatbot.chat import Turn
from devops_chatbot.errors import ChatbotError
from devops_chatbot.language import identifiers, language_of, terms
from devops_chatbot.llm import NamedModel
from devops_chatbot.prompts import fill

LONGEST_REWRITE = 400
SHORT = 4
"""Content words up to which a question that points back is not understandable by itself."""
TURNS_SHOWN = 6

_OPENING = re.compile(
    r"^(?:(?:ok(?:ay)?|thanks|thank you|great|so|but|and|or|then)[,.!]?\s+)*"
    r"(?:and|what about|how about|what if|or|then|also|same for|the same for)\b[\s,]*"
    r"|^(?:那么|那|还有|另外|换成|如果是|至于)",
    re.IGNORECASE,
)
_POINTING = re.compile(
    r"\b(?:it|its|this|that|these|those|they|them|their|there|the same|the (?:first|second|third|last|other) (?:one|step))\b"
    r"|[它其](?!他|中|实)|这个|那个|这些|那些|这种|上面|上述|前面|刚才|第[一二三四五1-5][步条个点]",
    re.IGNORECASE,
)
_CHINESE_AND = re.compile(r"^.{1,40}呢[?？。!！\s]*$")
_CHINESE_TAIL = re.compile(r"[呢吗]?[?？。!！\s]*$")
_GENERIC = re.compile(
    r"\b(?:mean(?:s|ing)?|impact|effects?|affect|causes?|reasons?|fix|resolve|solve|mitigate|repair|recover|check|verify|debug|diagnose"
    r"|investigate|handle|next|first|then|again|commands?|logs?|shows?|steps?|critical|urgent|severe|serious|severity|happens?|exactly"
    r"|examples?|details?|start|run|help|wrong|works?|long|often|take|explain|describe|try|else|possible|actions?|do)\b"
    r"|意思|含义|影响|后果|原因|导致|解决|修复|处理|恢复|缓解|检查|排查|诊断|查看|确认|下一步|接下来|然后|命令|日志|步骤|严重|紧急|具体|详细"
    r"|例子|示例|解释|说明|方法|操作|执行|应对|定位|多久|第[一二三四五]步|[看查用做该要吗呢]",
    re.IGNORECASE,
)
"""Words that can be asked of anything: a question of these alone is about what was asked before."""
_PROPER = re.compile(r"(?<=[^.?!\s]\s)[A-Z][\w+#-]+(?:\.\w+)*")
_LATIN = re.compile(r"[A-Za-z][\w+#-]+(?:\.\w+)*")
_PLACE_TAIL = re.compile(r"\s*[上里中下]$")
_SLOT = re.compile(
    r"\b(on|in|for|with|from|to|using|under|at|of|by)\s+((?:(?:the|a|an|my|our)\s+)?[\w.+/-]+(?:\s+[A-Z\d][\w.-]*)*)"
    r"(?=\s*[?.!,]|\s+(?:and|or|when|if|by|on|in|for|with|from|to)\b|$)",
    re.IGNORECASE,
)


def standalone(question: str, history: Sequence[Turn]) -> str:
    """The question with what it refers to, by rules over the earlier questions; itself when it needs nothing."""
    before = ""
    titles: tuple[str, ...] = ()
    for turn in history:
        if turn.role == "user":
            before = _joined(before, turn.text, titles)
        else:
            titles = tuple(dict.fromkeys(citation.title for citation in turn.citations))
    return _joined(before, question, titles)


async def rewritten(question: str, history: Sequence[Turn], model: NamedModel) -> str:
    """The question as a language model makes it stand on its own. Raises what the model raises; gives the rules'
    result when the model's answer cannot be a question.
    """
    from langchain_core.messages import HumanMessage

    shown = "\n".join(f"{turn.role}: {turn.text[:600]}" for turn in history[-TURNS_SHOWN:])
    prompt = fill("rewrite", language_of(question), history=shown, question=question)
    said = ""
    async with aclosing(model.stream([HumanMessage(prompt)])) as chunks:
        async for chunk in chunks:
            said += chunk.text
            if len(said) > 2 * LONGEST_REWRITE:
                break
    lines = [line.strip().strip("\"“”'") for line in said.strip().splitlines() if line.strip()]
    return lines[0] if lines and len(lines[0]) <= LONGEST_REWRITE else standalone(question, history)


async def understood(question: str, history: Sequence[Turn], models: Sequence[NamedModel]) -> str:
    """By the first of the models that answers, else by the rules."""
    if not any(turn.role == "user" for turn in history):
        return question
    for model in models:
        if model.extractive:
            continue
        try:
            return await rewritten(question, history, model)
        except ChatbotError:  # the model's state says why; the rules do the work for now
            continue
    return standalone(question, history)


def refers_back(question: str) -> bool:
    """Whether the question leans on what was said before."""
    words = terms(question)
    if _OPENING.match(question.strip()) or _CHINESE_AND.match(question.strip()):
        return len(words) <= 2 * SHORT
    if _POINTING.search(question):
        return not identifiers(question) and len(words) <= 2 * SHORT
    if not question.strip() or identifiers(question):
        return False
    return len(words) <= 2 * SHORT and not terms(_GENERIC.sub(" ", question))  # "why?", "what next?", "怎么修复？"


def _joined(before: str, question: str, titles: Sequence[str]) -> str:
    question = question.strip()
    if not before or not refers_back(question):
        return question
    opening = _OPENING.match(question)
    rest = question[opening.end() :] if opening else question
    if opening or _CHINESE_AND.match(question):
        swapped = _swapped(before, rest)
        if swapped:
            return swapped
    if _CHINESE_AND.match(question):
        return f"{_topic(before)} {_CHINESE_TAIL.sub('', rest).strip()}"
    topic = _topic(before)
    if not identifiers(before) and titles and _POINTING.search(question) and len(terms(before)) > SHORT:
        topic = titles[0]
    return f"{topic} {rest}".strip()


def _topic(before: str) -> str:
    """The names in a question where it says nothing else, else all of it."""
    names = identifiers(before)
    rest = before
    for name in names:
        rest = rest.replace(name, " ")
    return " ".join(names) if names and not terms(_GENERIC.sub(" ", rest)) else before.rstrip("?？。.! ")


def _swapped(before: str, rest: str) -> str:
    """ "How do I check the lag on MySQL?" with "on Postgres?" is the first question with the other name in it."""
    slot = _SLOT.search(rest)
    bare = _CHINESE_TAIL.sub("", rest).rstrip("?？.! ").strip()
    if slot:
        wanted = slot[1].lower()
        places = [match for match in _SLOT.finditer(before) if match[1].lower() == wanted]
        if places:
            return before[: places[-1].start(2)] + slot[2] + before[places[-1].end(2) :]
        return f"{before.rstrip('?？.! ')} {slot[0]}"
    names = identifiers(before)
    new = identifiers(bare)
    if len(names) == 1 and len(new) == 1 and new[0] == bare:
        return before.replace(names[0], bare)
    bare = _PLACE_TAIL.sub("", bare)
    named = (_LATIN if language_of(before) == "zh" else _PROPER).findall(before)
    if len(set(named)) == 1 and _LATIN.fullmatch(bare) and bare[0].isupper():
        return before.replace(named[0], bare)
    return ""
