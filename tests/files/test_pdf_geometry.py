"""Where words stand on a PDF page: columns, tables, turned pages, drawing order, edges of pages, pages without text."""

import math
import random

import pytest
from written_pdf import Page, drawn_pdf

from knowledge.loaders import load

LEFT = ["When the pump of hall one stops,", "close valve A at once and call", "the duty engineer on 4410. Then",
        "wait until the pressure is below", "two bar before you open the lid."]  # fmt: skip
RIGHT = ["When the fan of hall two stops,", "open the roof hatch by hand and", "call the electrician on 4420. The",
         "spare fan is in store number six", "behind the old paint and varnish."]  # fmt: skip
THIRD = ["When the lamp of hall three fails,", "look at fuse seven in the cabinet", "and note the hour in the book of",
         "the hall, then tell the manager", "who is on duty at that moment."]  # fmt: skip


def text_of(*pages: Page) -> str:
    return load(drawn_pdf(pages), "page.pdf").text


def column(
    lines: list[str], x: float, y: float = 700, *, step: float = 14
) -> list[tuple[str, float, float, float, float]]:
    return [(line, x, y - step * number, 11, 0) for number, line in enumerate(lines)]


def across(*columns: list[tuple[str, float, float, float, float]]) -> list[tuple[str, float, float, float, float]]:
    """Columns drawn line by line over the whole width."""
    return [line for row in zip(*columns, strict=True) for line in row]


@pytest.mark.parametrize("shift", [0, 5])
def test_columns_are_read_one_after_the_other(shift: float) -> None:
    title = [("How to mend what stands still in one of the halls of the house", 60, 740, 12, 0)]
    words = title + across(column(LEFT, 60), column(RIGHT, 320, 700 - shift))
    words.append(
        ("All of this is noted in the book of the house before the shift ends, by whoever did it.", 60, 600, 11, 0)
    )
    text = " ".join(text_of(Page(words)).split())
    assert text.startswith(
        f"How to mend what stands still in one of the halls of the house {' '.join(LEFT)} {' '.join(RIGHT)} All"
    )


def test_three_columns_and_a_heading_of_what_follows() -> None:
    words = across(column(LEFT, 40), column(RIGHT, 230), column(THIRD, 420))
    words += [
        ("What follows", 40, 600, 14, 0),
        (" ".join(THIRD[:3]), 40, 570, 11, 0),
        (" ".join(LEFT[:3]), 40, 556, 11, 0),
    ]
    text = " ".join(text_of(Page(words)).split())
    assert f"{' '.join(LEFT)} {' '.join(RIGHT)} {' '.join(THIRD)} # What follows When the lamp" in text


def test_a_table_is_read_row_by_row() -> None:
    rows = [
        ("Alarm", "Meaning", "Call"),
        ("E1", "pump stands", "4410"),
        ("E2", "fan stands", "4420"),
        ("E3", "lamp dark", "4430"),
    ]
    words = [
        (cell, 60 + 150 * at, 700 - 16 * number, 11, 0)
        for at in range(3)
        for number, cell in enumerate(row[at] for row in rows)
    ]
    assert text_of(Page(words)).strip().split("\n") == ["   ".join(row) for row in rows]


def test_the_lines_of_a_cell_stay_together() -> None:
    cells = [("E1", LEFT[:3]), ("E2", RIGHT[:3]), ("E3", THIRD[:3])]
    words = []
    for number, (name, lines) in enumerate(cells):
        top = 700 - 70 * number
        words += [(name, 60, top, 11, 0), *column(lines, 120, top), *column([line.upper() for line in lines], 340, top)]
    text = " ".join(text_of(Page(words)).split())
    for name, lines in cells:
        assert f"{name} {' '.join(lines)} {' '.join(lines).upper()}" in text


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_turned_text_has_the_same_lines_and_no_headings(degrees: int, rotate: int) -> None:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    words = [
        (text, round(400 + x * cos - y * sin, 1), round(400 + x * sin + y * cos, 1), size, degrees)
        for text, x, y, size, _ in column(LEFT, -80, 0)
    ]
    random.Random(3).shuffle(words)  # noqa: S311 the order of drawing
    assert text_of(Page(words, size=(800, 800), rotate=rotate)).strip().split("\n") == LEFT


def test_a_page_drawn_from_its_foot_up_is_read_from_its_head_down() -> None:
    assert text_of(Page(column(LEFT, 60)[::-1])).strip().split("\n") == LEFT


def test_a_watermark_stays_out_of_the_lines() -> None:
    text = text_of(Page([("DRAFT", 200, 600, 60, 45), *column(LEFT, 60)]))
    assert "\n".join(LEFT) in text
    assert "DRAFT" in text


def test_exponents_are_told_from_digits() -> None:
    words = [("At most 10", 60, 700, 11, 0), ("6", 112.7, 704.5, 7, 0), ("entries.", 119.7, 700, 11, 0)]
    assert text_of(Page(words)).strip() == "At most 10^6 entries."


def test_addresses_of_links_are_kept() -> None:
    page = Page(
        column(["Look at the board.", "Then call."], 60), links=[(110, 696, 150, 712, "https://grafana.example/d/1")]
    )
    assert text_of(page).strip() == "Look at the board. <https://grafana.example/d/1>\nThen call."


def body(number: int) -> list[tuple[str, float, float, float, float]]:
    return column([f"{line} {number}{at}" for at, line in enumerate(LEFT)], 60, 680)


@pytest.mark.parametrize("size", [10, 11, 16])
def test_numbered_headings_at_the_head_of_pages_stay(size: float) -> None:
    pages = [Page([(f"Alarm {100 + number}", 60, 760, size, 0), *body(number)]) for number in range(6)]
    assert all(f"Alarm {100 + number}" in text_of(*pages) for number in range(6))


@pytest.mark.parametrize("last", ["4410", "502", "XI", "Page 7"])
def test_a_number_that_does_not_count_pages_stays(last: str) -> None:
    text = text_of(Page([*body(1), (last, 60, 60, 11, 0)]), Page(body(2)), Page([*body(3), ("4411", 60, 60, 11, 0)]))
    assert last in text
    assert "4411" in text


@pytest.mark.parametrize("form", ["{n}", "Page {n} of 5", "- {n} -", "{roman}", "Seite {n}"])
def test_numbers_of_pages_and_running_heads_are_left_out(form: str) -> None:
    pages = [
        Page(
            [("Handbook of the house", 60, 770, 9, 0), ("v3", 500, 770, 9, 0), *body(number),
             (form.format(n=number, roman=["i", "ii", "iii", "iv", "v"][number - 1]), 300, 40, 9, 0)]
        )
        for number in range(1, 6)
    ]  # fmt: skip
    parsed = load(drawn_pdf(pages), "page.pdf")
    assert parsed.text.split() == [word for number in range(1, 6) for line in body(number) for word in line[0].split()]
    assert [(note.code, note.params["count"]) for note in parsed.notes] == [("left_out.running", 5)]


def test_a_running_head_with_its_page_number_beside_it() -> None:
    pages = [Page([("Handbook", 60, 770, 9, 0), (str(n), 500, 770, 9, 0), *body(n)]) for n in range(1, 6)]
    assert "Handbook" not in text_of(*pages)


def test_pages_without_text_are_told() -> None:
    scan, stamped = Page(pictures=[(0, 0, 600, 800)]), Page([("Doc 17", 60, 60, 8, 0)], pictures=[(0, 0, 600, 800)])
    logo = Page(column(LEFT, 60), pictures=[(0, 0, 600, 800)])
    parsed = load(drawn_pdf([logo, scan, Page(), stamped]), "mixed.pdf")
    assert [str(note) for note in parsed.notes] == ["2 of 4 pages have no text (2, 4): needs OCR."]
