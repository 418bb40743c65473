"""What was chosen by measuring: `python -m benchmarks.answers`, its dev half."""

from collections.abc import Mapping

from devops_chatbot.i18n import Language

ROOM = 900
"""Size of what the best document gives (a Chinese character counts as two); nothing is torn to keep it exactly."""
ROOM_OTHERS = 450
"""The same for each of the others, and for the closest passage where nothing answers."""
OTHERS = 1
"""Further documents that are quoted beside the best one."""
NEARLY_AS_GOOD = 0.93
"""Share of the best document's score that they must reach."""
PROSE = 560
"""Size of the sentences that are taken of running text."""
LONGEST_BLOCK = 2400
"""Size up to which code and the steps of a procedure are never cut."""

ABOUT = 0.6
"""Share of the question's weight in a title, a heading or a beginning from which this is what the question is about."""
SAID = 0.4
"""The same for headings whose every word the question says."""
CLEARER = 0.15
"""How much more of it a heading has to say than the title above it."""
DESCRIBES = 400
"""Characters at the beginning of a document that tell what it is about."""

ABOVE = 0.5
"""What a word counts that stands only in the headings above a text."""
PART, BLOCK = 0.6, 0.4
"""Weights of the best sentence, item or row of a block, and of the whole of it."""
FOUND = 0.1
"""Bonus of a block in the passage that the search found."""
PROMISED = 0.6
"""Bonus of a section whose heading promises what is asked, such as Mitigation for `fix`."""
RANK = 0.5
"""Bonus of the first document found; the second one has half of it, the third a third."""
TITLE = 0.4
"""Weight of the question's share in a document's title."""
NAMED = 1.0
"""Bonus of a document whose title the question says."""
SHORT, THIN = 160, 0.5
"""Characters below which a block with a link into another document only leads there, and what it counts."""
NEARLY = 0.7
"""What a word counts where only a longer or shorter form of it stands, as `Postgres` for `PostgreSQL`."""
FOREIGN = 0.6
"""What the Latin words of a Chinese question count in a text without Chinese, which cannot hold the rest."""
ASKING = 0.3
"""What a word that says what is asked (fix, check …) counts beside one that says of what."""
CROSSING = 0.2
"""What two Chinese characters count that are the end of one word and the beginning of the next."""

WEIGHTS: Mapping[Language, Mapping[str, float]] = {
    "en": {"section": 6.09, "part": 4.35, "missing": -0.07, "title": 5.09, "constant": -8.47},
    "zh": {"section": 6.61, "missing": -0.17, "title": 5.6, "constant": -4.41},
}
"""Of the features of `confidence`: fitted on the dev half, its sets weighed alike. What a cosine says differs from model to
model; with it the fit was no better.
"""
ANSWERS: Mapping[Language, float] = {"en": 0.3, "zh": 0.3}
"""Probability from which an answer is shown as one; below, as the closest passage."""
CLOSE: Mapping[Language, float] = {"en": 0.001, "zh": 0.04}
"""Probability below which not even the closest passage is worth showing."""
