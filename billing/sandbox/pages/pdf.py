"""A PDF of text lines, written by hand (PDF 1.4, ISO 32000-1 §7.5): one font, A4, as many pages as it takes."""

from __future__ import annotations

LINES_A_PAGE = 56
Line = tuple[str, str]  # left, right


def document(title: str, lines: list[Line]) -> bytes:
    """The file. Characters outside of Latin-1 are shown as ?."""
    pages = [lines[at : at + LINES_A_PAGE] for at in range(0, len(lines), LINES_A_PAGE)] or [[]]
    first = 4  # objects 1 to 3: catalog, page tree, font; then a page and its content, in turn
    kids = " ".join(f"{first + 2 * n} 0 R" for n in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Courier /Encoding /WinAnsiEncoding >>",
    ]
    for number, page in enumerate(pages):
        content = _content(page)
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> "
            + f"/Contents {first + 2 * number + 1} 0 R >>".encode()
        )
        objects.append(f"<< /Length {len(content)} >>\nstream\n".encode() + content + b"\nendstream")
    objects.append(b"<< /Title (" + _escaped(title) + b") >>")
    return _file(objects)


def _file(objects: list[bytes]) -> bytes:
    out, offsets = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"), []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    start = len(out)
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}".encode()
    out += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R /Info {len(objects)} 0 R >>\nstartxref\n{start}\n%%EOF\n".encode()
    return bytes(out)


def _content(lines: list[Line]) -> bytes:
    shown = [b"BT /F1 10 Tf 50 790 Td 13 TL"]
    for left, right in lines:
        text = f"{left[: 80 - len(right)]:<{82 - len(right)}}{right}"
        shown.append(b"(" + _escaped(text.rstrip()) + b") Tj T*")
    return b"\n".join([*shown, b"ET"])


def _escaped(text: str) -> bytes:
    for mark in ("\\", "(", ")"):
        text = text.replace(mark, "\\" + mark)
    return text.replace("−", "-").encode("cp1252", "replace")
