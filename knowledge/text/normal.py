"""Text normalised once, where it comes in: what looks the same is the same, and what nobody sees is gone."""

import re
import unicodedata

_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064"
    "\u2066-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
    "|(?<=[\x00-\x7f])[\u200c\u200d]|[\u200c\u200d](?=[\x00-\x7f])"
)
"""Zero-width and soft hyphens, marks of direction, control characters besides tab and line end; joiners of Latin letters."""
_SAME = str.maketrans(
    {
        **dict.fromkeys("\u00a0\u1680\u202f\u205f\u0085\u2028\u2029", " "),
        **{chr(code): " " for code in range(0x2000, 0x200B)},
        **{chr(code): chr(code - 0xFEE0) for code in range(0xFF10, 0xFF5B) if chr(code).isalnum()},
        **{chr(code): unicodedata.normalize("NFKC", chr(code)) for code in range(0xFB00, 0xFB07)},
        "\u2010": "-",
        "\u2011": "-",
    }
)
"""Spaces, full-width letters and digits, ligatures, and the two hyphens that word processors write."""
_SIGN = re.compile("(?<=[A-Za-z0-9])[－＿．／＠＼＝＋＆＃](?=[A-Za-z0-9])|(?<=[0-9])：(?=[0-9])")
"""Full-width signs inside of a name or a time; elsewhere they are Chinese punctuation."""


def normalised(text: str) -> str:
    """Composed (NFC), without invisible characters, with plain spaces, letters and digits, and with as many lines.

    Not NFKC as a whole: that makes `10⁶` a hundred and six, and Chinese punctuation a Western one.
    """
    text = _UNSEEN.sub("", text)
    if text.isascii():
        return text
    text = unicodedata.normalize("NFC", text).translate(_SAME)
    return _SIGN.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text)
