"""What language a text is in, and the words of it that carry its meaning (English, Chinese, and mixed)."""

import re
from functools import lru_cache

from devops_chatbot.i18n import Language
from knowledge.text.stems import stem
from knowledge.text.tokens import REMEMBERED, words

_FOREIGN = re.compile(r"[^\W\d_\u0041-\u024f]")
_LATIN_WORD = re.compile(r"[\u0041-\u024f]{2,}")
CHARACTERS_A_WORD = 2
"""A Chinese word has about two characters."""
_CHINESE = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")

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
    return (
        "zh"
        if chinese and chinese * 6 >= sum(character.isascii() and character.isalpha() for character in text)
        else "en"
    )


def foreign_share(text: str) -> float:
    """The share of a text's words that are not in Latin script, in [0, 1]."""
    foreign = len(_FOREIGN.findall(text)) / CHARACTERS_A_WORD
    if not foreign:
        return 0.0
    return foreign / (foreign + len(_LATIN_WORD.findall(text)))


def is_chinese(character: str) -> bool:
    return bool(_CHINESE.match(character))


def terms(text: str) -> list[str]:
    """The words that carry meaning, in the order of the text: stems of English words (with identifiers whole and in
    parts), bigrams of Chinese.
    """
    spaced = text if text.isascii() else _STOP_ZH.sub(" ", text)
    return [term for word in words(spaced) if (term := _term(word))]


@lru_cache(REMEMBERED)
def _term(word: str) -> str:
    """Empty for a word that carries none."""
    if word in _STOP_EN or (len(word) == 1 and word.isascii() and not word.isdigit()):
        return ""
    return stem(_SHORT_FORMS.get(word, word))
