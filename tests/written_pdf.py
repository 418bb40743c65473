"""Small PDFs written by hand, so that the tests need no foreign files."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

FONTS = {"F1": "Helvetica", "F2": "Courier"}


def pdf(
    pages: Sequence[Sequence[tuple[str, str, int]]], *, outline: Sequence[tuple[str, int]] = (), locked: bool = False
) -> bytes:
    """Pages of (text, font, size) from the top down; `outline` of (title, page)."""
    objects: dict[int, bytes] = {}
    kids = [10 + 2 * number for number in range(len(pages))]
    objects[1] = b"<< /Type /Catalog /Pages 2 0 R" + (b" /Outlines 5 0 R" if outline else b"") + b" >>"
    objects[2] = f"<< /Type /Pages /Count {len(pages)} /Kids [{' '.join(f'{kid} 0 R' for kid in kids)}] >>".encode()
    for number, (name, base) in enumerate(FONTS.items(), 3):
        objects[number] = f"<< /Type /Font /Subtype /Type1 /Name /{name} /BaseFont /{base} >>".encode()
    for kid, lines in zip(kids, pages, strict=True):
        fonts = "<< /F1 3 0 R /F2 4 0 R >>"
        objects[kid] = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents {kid + 1} 0 R /Resources << /Font {fonts} >> >>"
        ).encode()
        drawn, y = [], 780
        for text, font, size in lines:
            y -= round(size * 1.3)
            indent = len(text) - len(text.lstrip())
            x = 50 + round(indent * size * 0.6)
            escaped = text.strip().replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
            if escaped:
                drawn.append(f"BT /{font} {size} Tf 1 0 0 1 {x} {y} Tm ({escaped}) Tj ET")
        stream = "\n".join(drawn).encode("latin-1")
        objects[kid + 1] = b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream)
    if outline:
        first = max(objects) + 1
        last = first + len(outline) - 1
        objects[5] = f"<< /Type /Outlines /First {first} 0 R /Last {last} 0 R /Count {len(outline)} >>".encode()
        for number, (title, page) in enumerate(outline, first):
            around = (f" /Prev {number - 1} 0 R" if number > first else "") + (
                f" /Next {number + 1} 0 R" if number < last else ""
            )
            objects[number] = f"<< /Title ({title}) /Parent 5 0 R /Dest [{kids[page]} 0 R /Fit]{around} >>".encode()
    written, places = b"%PDF-1.4\n", {}
    for number in sorted(objects):
        places[number] = len(written)
        written += b"%d 0 obj\n%s\nendobj\n" % (number, objects[number])
    size, start = max(objects) + 1, len(written)
    table = b"".join(b"%010d 00000 n \n" % places[n] if n in places else b"0000000000 65535 f \n" for n in range(size))
    secret = b" /Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <%s> /U <%s> >> /ID [<00> <00>]" % (
        b"11" * 32,
        b"22" * 32,
    )
    trailer = b"<< /Size %d /Root 1 0 R%s >>" % (size, secret if locked else b"")
    return written + b"xref\n0 %d\n%s" % (size, table) + b"trailer\n%s\nstartxref\n%d\n%%%%EOF" % (trailer, start)


@dataclass(frozen=True)
class Page:
    """A page by hand: words as (text, x, y, size, degrees), pictures as (x, y, width, height), links as (x, y, x, y, address)."""

    words: Sequence[tuple[str, float, float, float, float]] = ()
    size: tuple[int, int] = (600, 800)
    rotate: int = 0
    pictures: Sequence[tuple[int, int, int, int]] = ()
    links: Sequence[tuple[int, int, int, int, str]] = ()


def drawn_pdf(pages: Sequence[Page]) -> bytes:
    """A PDF whose text stands where it is put, in the order in which it is given."""
    objects: dict[int, bytes] = {
        1: b"<< /Type /Catalog /Pages 2 0 R >>",
        3: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        4: b"<< /Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray /BitsPerComponent 8 /Length 1 >>"
        b"\nstream\n\x80\nendstream",
    }
    kids = [10 + 2 * number for number in range(len(pages))]
    objects[2] = f"<< /Type /Pages /Count {len(pages)} /Kids [{' '.join(f'{kid} 0 R' for kid in kids)}] >>".encode()
    for kid, page in zip(kids, pages, strict=True):
        stream = "".join(f"q {w} 0 0 {h} {x} {y} cm /I1 Do Q\n" for x, y, w, h in page.pictures)
        for text, x, y, size, degrees in page.words:
            cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
            escaped = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
            stream += f"BT /F1 {size} Tf {cos:.4f} {sin:.4f} {-sin:.4f} {cos:.4f} {x} {y} Tm ({escaped}) Tj ET\n"
        links = "".join(
            f"<< /Type /Annot /Subtype /Link /Rect [{a} {b} {c} {d}] /A << /S /URI /URI ({address}) >> >> "
            for a, b, c, d, address in page.links
        )
        objects[kid] = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {page.size[0]} {page.size[1]}] /Rotate {page.rotate} /Annots [{links}] "
            f"/Contents {kid + 1} 0 R /Resources << /Font << /F1 3 0 R >> /XObject << /I1 4 0 R >> >> >>"
        ).encode()
        data = stream.encode("cp1252")
        objects[kid + 1] = b"<< /Length %d >>\nstream\n%s\nendstream" % (len(data), data)
    written, places = b"%PDF-1.4\n", {}
    for number in sorted(objects):
        places[number] = len(written)
        written += b"%d 0 obj\n%s\nendobj\n" % (number, objects[number])
    size, start = max(objects) + 1, len(written)
    table = b"".join(b"%010d 00000 n \n" % places[n] if n in places else b"0000000000 65535 f \n" for n in range(size))
    return written + b"xref\n0 %d\n%strailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (
        size,
        table,
        size,
        start,
    )
