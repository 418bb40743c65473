"""How a model's answer ends, in one set of words for every provider."""

from typing import Literal

Ending = Literal["whole", "cut", "refused", "broken", "tool"]
"""`cut`: at a limit of tokens; `refused`: by the model or a filter; `broken`: something failed at the provider; `tool`: the
model wants a tool called.
"""

REASONS = ("finish_reason", "stop_reason", "done_reason", "status")
"""Where messages of OpenAI, Anthropic, Ollama and of OpenAI's Responses carry it."""

_ENDINGS: dict[Ending, tuple[str, ...]] = {
    "cut": ("length", "max_tokens", "max_output_tokens", "model_length", "incomplete", "model_context_window_exceeded"),
    "refused": ("refusal", "content_filter", "safety", "sensitive", "recitation", "blocklist", "prohibited_content", "spii"),
    "broken": (
        "error", "abort", "aborted", "cancelled", "canceled", "failed", "timeout", "network_error", "other", "overloaded",
        "insufficient_system_resource", "malformed_function_call", "malformed_response",
    ),
    "tool": ("tool_calls", "tool_use", "function_call"),
}  # fmt: skip
_BY_REASON = {reason: ending for ending, reasons in _ENDINGS.items() for reason in reasons}


def ending_of(reason: str) -> Ending:
    """What a provider's finish reason means; one that nobody knows ends a whole answer."""
    return _BY_REASON.get(reason.strip().lower(), "whole")
