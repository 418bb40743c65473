"""What a value was expected to be, out of a mistake that pydantic found; for somebody who does not know Python."""

from collections.abc import Mapping
from typing import Any

from devops_chatbot.i18n.reason import Reason


def expectation(mistake: Mapping[str, Any]) -> Reason:
    """What was expected; a validator of ours raises `ValueError(Reason(…))`, and that reason is the whole of it."""
    bounds = mistake.get("ctx", {})
    match mistake["type"]:
        case "int_type" | "int_parsing" | "int_from_float":
            return Reason("kind.whole_number")
        case "float_type" | "float_parsing":
            return Reason("kind.number")
        case "finite_number":
            return Reason("kind.finite_number")
        case "bool_type" | "bool_parsing":
            return Reason("kind.true_or_false")
        case "string_type":
            return Reason("kind.text")
        case "path_type":
            return Reason("kind.path")
        case "tuple_type" | "list_type":
            return Reason("kind.list")
        case "dict_type" | "model_type" | "model_attributes_type":
            return Reason("kind.object")
        case "too_short":
            return Reason("kind.long_list", least=bounds["min_length"])
        case "too_long":
            return Reason("kind.short_list", most=bounds["max_length"])
        case "literal_error":
            return Reason("kind.one_of", words=bounds["expected"])
        case "greater_than_equal":
            return Reason("kind.at_least", least=bounds["ge"])
        case "greater_than":
            return Reason("kind.more_than", bound=bounds["gt"])
        case "less_than_equal":
            return Reason("kind.at_most", most=bounds["le"])
        case "less_than":
            return Reason("kind.less_than", bound=bounds["lt"])
        case "value_error" if isinstance(told := bounds["error"].args[0], Reason):
            return told
    return Reason("kind.other", words=mistake["msg"].removeprefix("Input should be "))
