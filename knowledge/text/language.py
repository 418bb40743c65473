"""What language a text is in, and the words of it that carry its meaning (English, Chinese, and mixed)."""

import re
from collections.abc import Iterator

from devops_chatbot.i18n import Language

_CJK = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_CHINESE = re.compile(f"[{_CJK}]")
_LETTER = re.compile(r"[A-Za-z]")
_TOKEN = re.compile(f"[A-Za-z0-9]+(?:[._:/@-]+[A-Za-z0-9]+)*|[{_CJK}]+")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_IDENTIFIER = re.compile(
    r"`[^`\n]+`"  # marked as code by the asker
    r"|(?<![\w/.])/?[\w.-]+(?:/[\w.-]+)+"  # a path
    r"|\b[a-z]+[A-Z]\w*\b|\b[A-Z][a-z0-9]+(?:[A-Z]+[a-z0-9]*)+\b"  # camelCase
    r"|\b\w+_\w+\b"  # snake_case
    r"|\b[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*\.[A-Za-z][\w.-]*\b"  # host or file name
    r"|(?<!\w)--?[a-z][\w-]+"  # an option
    r"|\b[A-Z]{2,}[A-Z0-9]*-?\d+\b"  # an error code
)

_STOP_EN = frozenset(
    """a about actually after all almost already also am an and any are as at be been before being but by can cannot could did do
    does doing done for from get gets getting give given go going had has have having here how i if in into is it its just
    know let like make me might more most much must my need no not now of off on once one only or other our out over
    please possible same say see shall should show so some such tell than that the their them then there these they
    thing this those through to too under up us use used using very want was way we were what whats when where which
    while who whom whose why will with without would you your""".split()
)
_STOP_ZH = re.compile(
    "请问|请告诉我|告诉我|什么样|是什么|为什么|什么|怎么样|怎么办|怎么|怎样|如何|哪一个|哪一|哪两个|哪几个|哪些|哪个|哪里|哪儿|哪种"
    "|哪年|哪位|是否|能不能|可不可以|有没有|多少|几个|应该|可以|需要|我们|你们|他们|一下|一个|以及|或者|并且|而且|因为|所以|如果|但是"
    "|这个|那个|这些|那些|之后|之前|时候|[的了吗呢吧啊呀是有在和与及或被由把将我你他她它这那哪谁几个都也还就才又很更最"
    "要会能让给对从到为以于而且则着过等其中]"
)


_SHORT_FORMS = {
    "max": "maximum", "min": "minimum", "config": "configuration", "configure": "configuration", "db": "database",
    "k8s": "kubernetes", "repo": "repository", "dir": "directory", "auth": "authentication", "admin": "administrator",
    "ip": "address", "env": "environment", "pwd": "password", "num": "number", "doc": "document", "info": "information",
    "cert": "certificate", "certs": "certificate", "sync": "synchronise", "mem": "memory", "perms": "permission",
}  # fmt: skip


def language_of(text: str) -> Language:
    """Chinese when a fair share of its letters is Chinese, so that a Chinese sentence full of command names still is."""
    chinese = len(_CHINESE.findall(text))
    return "zh" if chinese and chinese * 6 >= len(_LETTER.findall(text)) else "en"


def identifiers(text: str) -> list[str]:
    """Names that only machines use: alerts, metrics, paths, options, hosts, what stands between backticks."""
    found = (match[0].strip("`") for match in _IDENTIFIER.finditer(text))
    return list(dict.fromkeys(name for name in found if len(name) > 2))


def terms(text: str) -> list[str]:
    """The words that carry meaning, in the order of the text: stems of English words (with identifiers whole and in
    parts), bigrams of Chinese.
    """
    return list(_terms(text))


def stem(word: str) -> str:
    """A word without its commonest English endings; close enough to compare two texts."""
    word = _SHORT_FORMS.get(word.lower(), word.lower())
    if len(word) < 4 or not word.isalpha():
        return word
    for ending, instead in (("ies", "y"), ("ing", ""), ("ied", "y"), ("ed", ""), ("es", ""), ("s", "")):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith(("ss", "us", "is")):
            word = word[: -len(ending)] + instead
            if ending in ("ing", "ed") and word[-1] == word[-2] and word[-1] not in "lsz":
                word = word[:-1]
            break
    for ending in ("ation", "ate", "ion"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            word = word[: -len(ending)]
            break
    else:
        word = word[:-1] if word.endswith("e") and len(word) > 3 else word
    return f"{word[:-1]}s" if word.endswith("iz") and len(word) > 5 else word  # synchronize like synchronise


def is_chinese(character: str) -> bool:
    return bool(_CHINESE.match(character))


def _terms(text: str) -> Iterator[str]:
    for match in _TOKEN.finditer(text):
        token = match[0]
        if _CHINESE.match(token):
            yield from _bigrams(token)
            continue
        parts = _PART.findall(token)
        if len(parts) > 1:
            yield token.lower()
        for part in parts:
            if part.lower() not in _STOP_EN and (len(part) > 1 or part.isdigit()):
                yield stem(part)


def _bigrams(run: str) -> Iterator[str]:
    for piece in _STOP_ZH.split(run):
        if len(piece) == 1:
            yield piece
        for index in range(len(piece) - 1):
            yield piece[index : index + 2]
