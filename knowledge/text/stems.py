"""English words without their endings."""

_ENDINGS = tuple(
    sorted(
        "s es ers er ed edly ing ings ly ion ions ies ied ation ations ate ates ated ating ure ures ured uring uration urations "
        "ise ises ised ising isation isations ize izes ized izing ization izations e y".split(),
        key=len,
        reverse=True,
    )
)
_WHOLE = ("ss", "us", "is", "eed")
"""What looks like an ending and is none: `process`, `status`, `analysis`, `speed`."""


def stem(word: str, *, least: int = 3) -> str:
    """A word without its ending, as long as `least` letters stay: `fail` of `failing` and `failures`.

    It is always the beginning of the word, so that it can be looked for in a text as it is; a stemmer that makes `polici` of
    `policy` (Porter 1980) could only be compared with stems of every word of the text.
    """
    if not (word.isascii() and word.isalpha()) or word.endswith(_WHOLE):
        return word
    ending = next((each for each in _ENDINGS if word.endswith(each) and len(word) - len(each) >= least), "")
    root = word.removesuffix(ending)
    if len(root) > least and (root[-1] in "ey" or (root[-1] == root[-2] and root[-1] not in "lsz")):
        root = root[:-1]
    return root
