"""What people are told, as a code with parameters, and its text in English or Chinese.

The core raises and passes on `Reason("knowledge_base.not_found", name="Runbooks")` (an error of `devops_chatbot.errors`
is one with a class); the edge that speaks to a person makes text of it: the API by `Accept-Language`, the command line by
its locale, a web page by its own language. The texts stand in `en.json` and `zh.json` beside this file.
"""

from devops_chatbot.i18n.catalog import LANGUAGES, Catalog, Language, accepted_language, language_of_locale
from devops_chatbot.i18n.expectation import expectation
from devops_chatbot.i18n.reason import MESSAGES, Reason, current_language

__all__ = [
    "LANGUAGES",
    "MESSAGES",
    "Catalog",
    "Language",
    "Reason",
    "accepted_language",
    "current_language",
    "expectation",
    "language_of_locale",
]
