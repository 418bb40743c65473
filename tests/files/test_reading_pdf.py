"""PDFs as a person meets them: with and without an outline, with code, running heads, locks and damage."""

import pytest
from written_pdf import pdf

from devops_chatbot.errors import UnsupportedFile
from knowledge.loaders import load

BODY = [("The disk of a node is full when writing fails.", "F1", 10), ("Look at the largest folders first.", "F1", 10)]


def test_larger_type_is_a_heading_and_fixed_type_is_code() -> None:
    page = [
        ("Disk full", "F1", 20),
        *BODY,
        ("Diagnosis", "F1", 14),
        ("Run this on the node:", "F1", 10),
        ("du -sh /var", "F2", 10),
        ("    sort -h", "F2", 10),
        ("Then delete what is not needed.", "F1", 10),
    ]
    parsed = load(pdf([page]), "runbook.pdf")
    assert parsed.title == "Disk full"
    assert [section.heading_path for section in parsed.sections] == [("Disk full",), ("Disk full", "Diagnosis")]
    assert "```\ndu -sh /var\n    sort -h\n```" in parsed.text
    assert parsed.page_starts == (0,)


def test_bookmarks_are_the_headings_and_pages_are_counted() -> None:
    pages = [[("1 Symptoms", "F1", 10), *BODY], [("Remedy", "F1", 10), *BODY]]
    parsed = load(pdf(pages, outline=[("Symptoms", 0), ("Remedy", 1)]), "guide.pdf")
    assert [section.heading_path for section in parsed.sections] == [("1 Symptoms",), ("Remedy",)]
    assert parsed.text[parsed.page_starts[1] :].startswith("# Remedy")
    assert parsed.title == "guide"


def test_running_heads_and_page_numbers_are_left_out() -> None:
    words = "one two three four five".split()
    pages = [
        [
            ("Operations handbook", "F1", 8),
            (f"Words of page {n}.", "F1", 10),
            (f"And {word}.", "F1", 10),
            (f"{n}", "F1", 8),
        ]
        for n, word in enumerate(words, 1)
    ]
    text = load(pdf(pages), "handbook.pdf").text
    assert text.split() == [
        each for n, word in enumerate(words, 1) for each in f"Words of page {n}. And {word}.".split()
    ]


def test_a_password_is_named() -> None:
    with pytest.raises(UnsupportedFile, match="password"):
        load(pdf([BODY], locked=True), "secret.pdf")


def test_a_scan_says_that_there_is_no_ocr() -> None:
    with pytest.raises(UnsupportedFile, match="only images; OCR is not available"):
        load(pdf([[]]), "scan.pdf")


@pytest.mark.parametrize("share", [0.02, 0.3, 0.7])
def test_a_file_that_is_cut_off_is_refused_or_read_as_far_as_it_goes(share: float) -> None:
    whole = pdf([BODY] * 4)
    try:
        text = load(whole[: int(len(whole) * share)], "cut.pdf").text
    except UnsupportedFile as error:
        text = str(error)
    assert "again" in text or "images" in text or BODY[0][0] in text


def test_a_page_saved_under_the_name_of_a_pdf() -> None:
    with pytest.raises(UnsupportedFile, match=r"named \.pdf but is none"):
        load(b"<html>404</html>", "report.pdf")


def test_a_pdf_under_another_name_is_read_all_the_same() -> None:
    assert load(pdf([BODY]), "download").loader == "pdf"
