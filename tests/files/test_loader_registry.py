"""Loaders of other packages come in by the door of our own."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devops_chatbot.errors import UnsupportedFile
from knowledge import loaders
from knowledge.loaders.process import ParserProcess

DOCX = '''"""Office documents: the words of their paragraphs."""

import io
import re
import zipfile

from knowledge.loaders.loader import Loader
from knowledge.model import ParsedDocument


def load(data, name):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        body = archive.read("word/document.xml").decode()
    return ParsedDocument(text="\\n\\n".join(re.findall("<w:t>(.*?)</w:t>", body)), title=name, loader="docx")


LOADER = Loader(version=1, suffixes=frozenset({".docx"}), load=load, binary=True)
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of packages with one that is registered as the loader `docx`."""
    info = tmp_path / "docx_loader-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: docx-loader\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[devops_chatbot.loaders]\ndocx = docx_loader:LOADER\n")
    (tmp_path / "docx_loader.py").write_text(DOCX)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    loaders.loaders.cache_clear()
    yield tmp_path
    loaders.loaders.cache_clear()
    sys.modules.pop("docx_loader", None)


def document() -> bytes:
    import io
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("word/document.xml", "<w:t>Restart the pod.</w:t><w:t>Then look again.</w:t>")
    return buffer.getvalue()


def test_a_format_of_another_package_is_read_also_in_the_bounded_process(package: Path) -> None:
    assert loaders.loader_for("notes.docx") == "docx"
    process = ParserProcess(timeout_s=60, memory_mb=1024)
    try:
        for parsed in (loaders.load(document(), "notes.docx"), process.load(document(), "notes.docx")):
            assert (parsed.text, parsed.loader) == ("Restart the pod.\n\nThen look again.", "docx")
    finally:
        process.close()


def test_without_it_the_format_is_refused_with_what_to_do(package: Path) -> None:
    (package / "docx_loader.py").write_text("LOADER = 1")
    loaders.loaders.cache_clear()
    assert "expected a Loader" in loaders.loaders().failed["docx"]
    with pytest.raises(UnsupportedFile, match="Save it as"):
        loaders.load(document(), "notes.docx")
