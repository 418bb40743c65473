"""Makes a follow-up question ("and on Postgres?") stand on its own: by a language model, or by rules over the thread."""

import re
from collections.abc import Sequence
from contextlib import aclosing

from devops_chatbot.chat import Turn
from devops_chatbot.errors import ChatbotError
from devops_chatbot.llm import NamedModel
from devops_chatbot.llm.prompts import fill
from devops_chatbot.routing.small_talk import is_small_talk
from knowledge.text.language import identifiers, language_of, terms

LONGEST_REWRITE = 400
SHORT = 4
"""Content words up to which a question that points back is not understandable by itself."""
TURNS_SHOWN = 6

_OPENING = re.compile(
    r"^(?:(?:ok(?:ay)?|thanks|thank you|great|so|but|and|or|then)[,.!]?\s+)*"
    r"(?:and|what about|how about|what if|or|then|also|same for|the same for)\b[\s,]*"
    r"|^(?:好的|谢谢)?[，,]?(?:那么|那|还有|另外|换成|如果是|至于)",
    re.IGNORECASE,
)
_POINTING = re.compile(
    r"\b(?:it|its|this|that|these|those|they|them|their|there|the same|the (?:first|second|third|last|other) (?:one|step))\b"
    r"|[它其](?!他|中|实)|(?<!其)[他她]|这个|那个|这些|那些|这种|这样|上面|上述|前面|刚才|第[一二三四五1-5][步条个点]",
    re.IGNORECASE,
)
_CHINESE_AND = re.compile(r"^.{1,40}呢[?？。!！\s]*$")
_CHINESE_TAIL = re.compile(r"[呢吗]?[?？。!！\s]*$")
_ASKED_EN = (
    r"mean(?:s|ing)?|impact\w*|effects?|affect\w*|consequences?|causes?|reasons?|fix\w*|resol\w+|solv\w+|solutions?|mitigat\w*|repair\w*"
    r"|recover\w*|workarounds?|remed\w+|check\w*|verif\w+|debug\w*|diagnos\w+|investigat\w+|troubleshoot\w*|symptoms?|handle|respond"
    r"|explain|describe|summari[sz]e|summary|overview|next|commands?|shows?|steps?|happens?|do"
)
_ASKED_ZH = (
    r"意思|含义|影响|后果|原因|导致|解决|修复|处理|恢复|缓解|检查|排查|诊断|查看|确认|下一步|接下来|然后|命令|步骤|解释|说明|方法|应对|定位"
    r"|告警|报警"
)
_ASKED = re.compile(rf"\b(?:{_ASKED_EN})\b|{_ASKED_ZH}", re.IGNORECASE)
"""Words that say what is asked of something, and not of what."""
_GENERIC = re.compile(
    rf"\b(?:{_ASKED_EN}|first|then|again|logs?|critical|urgent|severe|serious|severity|exactly|more"
    r"|examples?|details?|start|run|help|wrong|works?|long|often|take|try|else|possible|actions?)\b"
    rf"|{_ASKED_ZH}|日志|严重|紧急|具体|详细|例子|示例|操作|执行|多久|这样|那样|第[一二三四五]步|[看查用做该要吗呢会办]",
    re.IGNORECASE,
)
"""Words that can be asked of anything: a question of these alone is about what was asked before."""
_PROPER = re.compile(r"(?<=[^.?!\s]\s)[A-Z][\w+#-]+(?:\.\w+)*")
_LATIN = re.compile(r"[A-Za-z][\w+#-]+(?:\.\w+)*")
_NUMBER = re.compile(r"(?<![\w.-])\d{1,6}(?![\w.-])")
_WORD = re.compile(r"\S+")
_BORDER = re.compile(r"(?<![A-Za-z0-9])[A-Za-z0-9]|[^A-Za-z0-9]")
_PLACE_TAIL = re.compile(r"\s*[上里中下]$")
_CHINESE_ONLY = re.compile(r"[\u4e00-\u9fff]+")
_KIND_ENDINGS = "组队部科室站线区省市县子年月日号版员层期级"
"""Last characters of Chinese words that name one of several things of a kind, such as 订单组 and 支付组."""
_SLOT = re.compile(
    r"\b(on|in|for|with|from|to|using|under|at|of|by)\s+((?:(?:the|a|an|my|our)\s+)?[\w.+/-]+(?:\s+(?-i:[A-Z\d])[\w.-]*)*)"
    r"(?=\s*[?.!,]|\s+(?:and|or|when|if|by|on|in|for|with|from|to)\b|$)",
    re.IGNORECASE,
)


def standalone(question: str, history: Sequence[Turn]) -> str:
    """The question with what it refers to, by rules over the earlier questions; itself when it needs nothing."""
    before = ""
    titles: tuple[str, ...] = ()
    for turn in history:
        if turn.role == "assistant":
            titles = tuple(dict.fromkeys(citation.title for citation in turn.citations)) or titles
        elif not is_small_talk(turn.text):
            before = _joined(before, turn.text, titles)
    return question if is_small_talk(question) else _joined(before, question, titles)


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
        swapped = _swapped(before, rest, titles)
        if swapped:
            return swapped
    bare = _CHINESE_TAIL.sub("", rest).strip() if _CHINESE_AND.match(question) else rest
    if not terms(_GENERIC.sub(" ", bare)) or _POINTING.search(bare):
        topic = _topic(before)
    else:  # it adds something of its own to what was asked
        topic = _named(before) or before.rstrip("?？。.! ")
    if not identifiers(before) and titles and _POINTING.search(question) and len(terms(before)) > SHORT:
        topic = titles[0]
    return f"{topic} {bare}".strip()


def _named(before: str) -> str:
    """The names in a question where it says nothing else."""
    names = identifiers(before)
    rest = before
    for name in names:
        rest = rest.replace(name, " ")
    return " ".join(names) if names and not terms(_GENERIC.sub(" ", rest)) else ""


def _topic(before: str) -> str:
    """What a question is about, without what it asks of it: "lag on MySQL" of "How do I check the lag on MySQL?"."""
    return _named(before) or _parts(before)[1] or before.rstrip("?？。.! ")


def _parts(question: str) -> tuple[str, str, str]:
    """What is asked in front, the topic, and what is asked behind; the topic has all words of its own."""
    plain = question.rstrip("?？。.!！ ")
    chinese = language_of(question) == "zh"
    found = [match.start() for match in (_BORDER if chinese else _WORD).finditer(plain)]
    borders = [*found, len(plain)]

    def asks(text: str) -> bool:
        return not terms(_ASKED.sub(" ", text))

    start = max((border for border in borders if asks(plain[:border])), default=0)
    end = min((border for border in borders if border >= start and asks(plain[border:])), default=len(plain))
    topic = plain[start:end].strip(" ,，")
    return plain[:start].strip(), _ASKED.sub("", topic) if chinese else topic, plain[end:].strip()


def _swapped(before: str, rest: str, titles: Sequence[str]) -> str:
    """ "How do I check the lag on MySQL?" with "on Postgres?" is the first question with the other name in it."""
    slot = _SLOT.search(rest)
    bare = _CHINESE_TAIL.sub("", rest).rstrip("?？.! ").strip()
    if slot and slot.start() == 0:
        wanted = slot[1].lower()
        places = [match for match in _SLOT.finditer(before) if match[1].lower() == wanted]
        if places:
            return before[: places[-1].start(2)] + slot[2] + before[places[-1].end(2) :]
        return f"{before.rstrip('?？.! ')} {slot[0]}"
    names = identifiers(before)
    new = identifiers(bare)
    if len(names) == 1 and len(new) == 1 and new[0] == bare:
        return before.replace(names[0], bare)
    numbers = _NUMBER.findall(before)
    if len(numbers) == 1 and _NUMBER.fullmatch(bare):
        return _NUMBER.sub(bare, before)
    bare = _PLACE_TAIL.sub("", bare)
    if _LATIN.fullmatch(bare) and any(letter.isupper() for letter in bare):
        named = (_LATIN if language_of(before) == "zh" else _PROPER).findall(before)
        one = named[0] if len(set(named)) == 1 else "" if named else _in_title(before, titles)
        if one:
            return re.sub(rf"(?<!\w){re.escape(one)}(?!\w)", lambda _: bare, before)
    return _other_of_a_kind(before, bare) if _CHINESE_ONLY.search(before) else ""


def _in_title(before: str, titles: Sequence[str]) -> str:
    """The one word of a question that the cited document has in its name."""
    held = {word for title in titles[:1] for word in terms(title)}
    found = [word for word in _LATIN.findall(before) if held & set(terms(word)) and not _ASKED.fullmatch(word)]
    return found[0] if len(set(found)) == 1 else ""


def _other_of_a_kind(before: str, bare: str) -> str:
    """ "支付组值班人是谁" with "订单组" is "订单组值班人是谁"; "磁盘空间不足怎么排查" with "内存" is "内存怎么排查"."""
    if not 2 <= len(bare) <= 8 or not terms(_GENERIC.sub(" ", bare)):
        return ""
    if _CHINESE_ONLY.fullmatch(bare):
        shared = bare[-2:] if len(bare) > 2 and bare[-2:] in before else bare[-1]
        place = before.find(shared) + len(shared) - len(bare)
        if place >= 0 and shared in before and (len(shared) > 1 or shared in _KIND_ENDINGS):
            return before[:place] + bare + before[place + len(bare) :]
    if identifiers(before) or _LATIN.search(before):
        return ""
    front, topic, behind = _parts(before)
    return f"{bare} {behind}".strip() if topic and behind and not front else ""
