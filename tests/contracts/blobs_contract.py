"""What every `BlobStore` does."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from devops_chatbot.db.blobs import BlobStore
from devops_chatbot.errors import TooLarge


class BlobsContract:
    @pytest.fixture
    def blobs(self) -> BlobStore:
        raise NotImplementedError

    def read(self, blobs: BlobStore, key: str) -> bytes | None:
        path = blobs.path(key)
        return None if path is None else path.read_bytes()

    def test_what_is_put_is_there_until_it_is_deleted(self, blobs: BlobStore) -> None:
        blobs.put([("a/1", b"one"), ("a/2", iter((b"t", b"wo"))), ("b", b"")])
        assert [self.read(blobs, key) for key in ("a/1", "a/2", "b", "c")] == [b"one", b"two", b"", None]
        assert set(blobs.keys_below()) == {"a/1", "a/2", "b"}
        assert set(blobs.keys_below("a")) == {"a/1", "a/2"}
        blobs.put([("a/1", b"anew")])
        assert self.read(blobs, "a/1") == b"anew"
        blobs.delete("a", "c")
        assert list(blobs.keys_below()) == ["b"]
        assert list(blobs.keys_below("a")) == []

    def test_a_folder_of_this_machine_is_taken_over(self, blobs: BlobStore, tmp_path: Path) -> None:
        (tmp_path / "in" / "docs").mkdir(parents=True)
        (tmp_path / "in" / "docs" / "a.md").write_bytes(b"a")
        blobs.put([("upload", tmp_path / "in")])
        assert not (tmp_path / "in").exists()
        assert list(blobs.keys_below("upload")) == ["upload/docs/a.md"]
        below = blobs.path("upload")
        assert below is not None
        assert (below / "docs" / "a.md").read_bytes() == b"a"

    def test_what_breaks_off_is_not_kept_and_what_was_there_stays(self, blobs: BlobStore) -> None:
        blobs.put([("a", b"old")])

        def pieces() -> Iterator[bytes]:
            yield b"half"
            raise TooLarge("run.no_artifact")

        with pytest.raises(TooLarge):
            blobs.put([("a", pieces())])
        assert self.read(blobs, "a") == b"old"
        assert list(blobs.keys_below()) == ["a"]

    @pytest.mark.parametrize("key", ["", "/etc/passwd", "../outside", "a/../../outside"])
    def test_a_key_never_leads_out(self, blobs: BlobStore, key: str) -> None:
        for act in (lambda: blobs.put([(key, b"")]), lambda: blobs.path(key), lambda: blobs.delete(key)):
            with pytest.raises(ValueError, match="no key"):
                act()
