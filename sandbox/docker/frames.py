"""Frames: how the host and a container's supervisor talk over one byte stream, each a JSON header and a body of bytes.

This file is also copied into the image, so it imports nothing but the standard library.
"""

import json
import struct

_LENGTHS = struct.Struct(">II")
MAX_HEADER = 1 << 20
MAX_BODY = 32 << 20
CHUNK = 256 << 10
"""Largest body that either side sends of something longer, such as a file."""

Header = dict[str, object]


class BrokenFrames(Exception):
    """What arrived is not a frame; nothing after it can be trusted."""


def pack(header: Header, body: bytes = b"") -> bytes:
    """One frame as bytes."""
    text = json.dumps(header, separators=(",", ":")).encode()
    return _LENGTHS.pack(len(text), len(body)) + text + body


class Unpacker:
    """Turns pieces of a stream, cut anywhere, into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, piece: bytes) -> list[tuple[Header, bytes]]:
        """The frames that are complete now. Raises `BrokenFrames`."""
        buffer = self._buffer
        buffer += piece
        frames: list[tuple[Header, bytes]] = []
        start = 0
        while len(buffer) - start >= _LENGTHS.size:
            header_length, body_length = _LENGTHS.unpack_from(buffer, start)
            if header_length > MAX_HEADER or body_length > MAX_BODY:
                raise BrokenFrames(f"a frame claims {header_length} + {body_length} bytes")
            body_at = start + _LENGTHS.size + header_length
            end = body_at + body_length
            if len(buffer) < end:
                break
            try:
                header = json.loads(buffer[start + _LENGTHS.size : body_at])
            except ValueError as error:
                raise BrokenFrames("a header is not JSON") from error
            if not isinstance(header, dict):
                raise BrokenFrames("a header is not an object")
            frames.append((header, bytes(buffer[body_at:end])))
            start = end
        if start:
            del buffer[:start]
        return frames
