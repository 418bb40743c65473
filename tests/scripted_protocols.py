"""The stream bodies of Anthropic's Messages protocol and of Ollama's chat protocol, as a scripted reply wants them."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scripted_model import Reply

WORDS = b'"text_delta"'
_OLLAMA_WORDS = {
    "role": "assistant",
    "text_delta": True,
}  # marks a line with words; clients pass over what they do not know


def pieces(path: str, reply: "Reply") -> tuple[str, Iterator[bytes]] | None:
    """The content type and the body's pieces; None where the path belongs to the OpenAI protocol."""
    if path.split("?")[0].endswith("/v1/messages"):
        return "text/event-stream", _anthropic(reply)
    if path == "/api/chat":
        return "application/x-ndjson", _ollama(reply)
    return None


def _anthropic(reply: "Reply") -> Iterator[bytes]:
    given, made = reply.usage or (0, 0)
    message = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "scripted", "content": [],
        "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": given, "output_tokens": 1},
    }  # fmt: skip
    yield _event("message_start", message=message)
    if reply.thought:
        yield _event(
            "content_block_start", index=0, content_block={"type": "thinking", "thinking": "", "signature": ""}
        )
        yield _event("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": reply.thought})
        yield _event("content_block_delta", index=0, delta={"type": "signature_delta", "signature": "c2lnbmVk"})
        yield _event("content_block_stop", index=0)
    index = 1 if reply.thought else 0
    yield _event("content_block_start", index=index, content_block={"type": "text", "text": ""})
    yield _event("ping")
    for words in _cut(reply):
        yield _event("content_block_delta", index=index, delta={"type": "text_delta", "text": words})
    yield _event("content_block_stop", index=index)
    reason = (
        "refusal" if reply.refusal else {"stop": "end_turn", "length": "max_tokens"}.get(reply.finish, reply.finish)
    )
    why = {"stop_details": {"type": "refusal", "explanation": reply.refusal}} if reply.refusal else {}
    usage = {"input_tokens": given, "output_tokens": made}
    yield _event("message_delta", delta={"stop_reason": reason, "stop_sequence": None, **why}, usage=usage)
    yield _event("message_stop")


def _ollama(reply: "Reply") -> Iterator[bytes]:
    given, made = reply.usage or (0, 0)
    if reply.thought:
        yield _line(message={"role": "assistant", "content": "", "thinking": reply.thought}, done=False)
    for words in _cut(reply):
        yield _line(message={**_OLLAMA_WORDS, "content": words}, done=False)
    yield _line(
        message={"role": "assistant", "content": ""}, done=True, done_reason=reply.finish,
        total_duration=1, load_duration=1, prompt_eval_count=given, eval_count=made,
    )  # fmt: skip


def _cut(reply: "Reply") -> list[str]:
    return [reply.text[start : start + reply.piece] for start in range(0, len(reply.text), reply.piece)]


def _event(kind: str, **content: object) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **content}, ensure_ascii=False)}\n\n".encode()


def _line(**content: object) -> bytes:
    made = {"model": "scripted", "created_at": "2026-01-01T00:00:00Z", **content}
    return json.dumps(made, ensure_ascii=False).encode() + b"\n"
