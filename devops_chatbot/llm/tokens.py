"""Guesses how many tokens a text is, for models whose own tokenizer cannot be asked."""

import string

_DIGITS = string.digits.encode()
_CAPITALS = string.ascii_uppercase.encode()
_LETTER, _DIGIT, _CAPITAL, _OTHER_BYTE = 1 / 3, 1.1, 0.7, 0.7
"""Tokens a character, and a byte of what is not ASCII. Measured with SmolLM2, whose vocabulary is small and English: real over
guessed is 0.7 to 1.0 for runbooks and code, 0.9 for Chinese (2 tokens a character), 1.1 for logs, 1.3 for Base64.
"""


def tokens_of(text: str) -> int:
    """A guess on the high side; vocabularies made for Chinese need a third of it for Chinese."""
    raw = text.encode("ascii", "ignore")
    others = len(text.encode("utf-8", "replace")) - len(raw)
    digits = len(raw) - len(raw.translate(None, _DIGITS))
    capitals = len(raw) - len(raw.translate(None, _CAPITALS))
    letters = len(raw) - digits - capitals
    return int(letters * _LETTER + digits * _DIGIT + capitals * _CAPITAL + others * _OTHER_BYTE) + 4
