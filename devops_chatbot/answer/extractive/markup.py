"""Words of documents as they can stand in an answer: nothing of them changes, markup that leads nowhere is left out."""

import re

from knowledge.text.language import is_chinese

_CODE_SPAN = re.compile(r"(`+[^`\n]*`+)")
_IMAGE = re.compile(r"!\[(?:[^\]\[\\]|\\.|\[[^\]]*\])*\](?:\([^)]*\)|\[[^\]]*\])")
_LINK = re.compile(r"\[([^\]]+)\]\((?!https?://)[^)\s]*(?:\s+\"[^\"]*\")?\)|\[([^\]]+)\]\[[^\]]*\]")
_ANY_LINK = re.compile(r"\[[^\]]*\]\([^)\s]*\)+|\[[^\]]+\]:[ \t]*\S+|https?://\S+")
_FOOTNOTE = re.compile(r"\[\^?\d{1,3}\](?!\()")
_TAG = re.compile(r"</?[a-zA-Z][a-zA-Z0-9]*(?:\s[^<>\n]*)?/?>|<!--.*?-->|\{#[\w-]+\}|\{\{[<%].*?[>%]\}\}", re.DOTALL)
_LOOSE_BOLD = re.compile(r"(?m)^\*\*[ \t]+([^\s*][^*\n]*?)[ \t]*\*\*(?=\s|$)")


def tidied(text: str) -> str:
    """Without images, tags, footnote marks and links that lead nowhere outside the document; code spans stay."""
    spans = _CODE_SPAN.split(text)
    return "".join(span if index % 2 else _plain(span) for index, span in enumerate(spans)).strip()


def _plain(text: str) -> str:
    text = _LINK.sub(lambda match: match[1] or match[2], _IMAGE.sub("", text))
    return _LOOSE_BOLD.sub(r"**\1**", _TAG.sub("", _FOOTNOTE.sub("", text)))


def one_line(text: str) -> str:
    """The lines of a paragraph joined, without a space between Chinese characters; a line that is broken on purpose (two
    spaces at its end) stays so.
    """
    joined, breaks = "", False
    for line in text.splitlines():
        words = line.strip()
        if not words:
            continue
        tight = bool(joined) and (is_chinese(joined[-1]) or joined[-1] in "，。、；：") and is_chinese(words[0])
        joined += ("  \n" if breaks else "" if tight or not joined else " ") + words.removesuffix("\\")
        breaks = line.endswith(("  ", "\\"))
    return joined


def plain_words(text: str) -> bool:
    """Whether a text says something besides links, images and tags."""
    return bool(re.search(r"\w", tidied(_ANY_LINK.sub("", _IMAGE.sub("", text)))))


def leads_away(text: str) -> bool:
    """Whether a text has a link into another document of its collection."""
    return bool(_LINK.search(text))


def squashed(text: str) -> str:
    """A text without its white space, to find it wherever its lines break."""
    return "".join(text.split())


def size_of(text: str) -> int:
    """Characters, a Chinese one counted twice: about the room it takes and the time it takes to read."""
    return len(text) + sum(map(is_chinese, text))
