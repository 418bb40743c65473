"""Blobs in a folder."""

from pathlib import Path

import pytest
from contracts.blobs_contract import BlobsContract
from powerless import without_root_powers

from devops_chatbot.db.blobs import FolderBlobs
from devops_chatbot.errors import StoreUnavailable


class TestFolderBlobs(BlobsContract):
    @pytest.fixture
    def blobs(self, tmp_path: Path) -> FolderBlobs:
        return FolderBlobs(tmp_path / "blobs")


def test_what_a_killed_process_left_half_written_is_no_blob_and_swept(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.0badf00d.new").write_bytes(b"half")
    blobs = FolderBlobs(tmp_path)
    assert list(blobs.keys_below()) == []
    blobs.sweep()
    assert list((tmp_path / "a").iterdir()) == []


def test_a_folder_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with without_root_powers(), pytest.raises(StoreUnavailable, match="cannot be kept"):
        FolderBlobs(tmp_path).put([("a/b", b"")])
