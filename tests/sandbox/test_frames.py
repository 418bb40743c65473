"""Frames survive being cut anywhere, and nonsense is refused."""

import pytest

from sandbox.docker.frames import MAX_BODY, BrokenFrames, Unpacker, pack


def test_frames_arrive_however_they_are_cut() -> None:
    sent = [({"op": "run", "text": "é\n"}, b"\0\xff" * 10), ({}, b""), ({"n": 1}, b"x")]
    stream = b"".join(pack(dict(header), body) for header, body in sent)
    for size in (1, 2, 3, 7, len(stream)):
        unpacker = Unpacker()
        got = [frame for at in range(0, len(stream), size) for frame in unpacker.feed(stream[at : at + size])]
        assert got == sent


@pytest.mark.parametrize(
    "piece",
    [
        b"\xff" * 16,
        (2).to_bytes(4, "big") + (MAX_BODY + 1).to_bytes(4, "big") + b"{}",
        (2).to_bytes(4, "big") + bytes(4) + b"[]",
        (3).to_bytes(4, "big") + bytes(4) + b"{x}",
    ],
)
def test_what_is_no_frame_is_refused(piece: bytes) -> None:
    with pytest.raises(BrokenFrames):
        Unpacker().feed(piece)
