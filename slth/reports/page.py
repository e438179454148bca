"""The parts that pages are made of: one style sheet, a frame, tiles, tables; text is always escaped.

Pages stand alone: no script, no font, no picture and no style from elsewhere.
"""

from __future__ import annotations

import html
import math
import platform
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any


def style() -> str:
    """The style sheet, as text to set inside a page."""
    return (Path(__file__).parent / "style.css").read_text(encoding="utf-8")


def escape(value: Any) -> str:
    """Text as HTML."""
    return html.escape(str(value), quote=True)


def page(title: str, body: str) -> str:
    """A complete document around `body`."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; style-src '
        "'unsafe-inline'\">\n"
        f"<title>{escape(title)}</title>\n<style>{style()}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def section(title: str, *parts: str) -> str:
    """A heading and what follows it."""
    return f"<h2>{escape(title)}</h2>\n" + "\n".join(parts)


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph of plain text."""
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def tiles(items: Iterable[tuple[str, str, str]]) -> str:
    """Headline numbers: (label, value, remark)."""
    cells = "".join(
        "<div "
        f'class="tile"><dt>{escape(label)}</dt><dd>{escape(value)}<small>{escape(remark)}</small></dd></div>'
        for label, value, remark in items
    )
    return f'<dl class="tiles">{cells}</dl>'


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Rows under headings; numbers stand to the right."""
    numeric = [bool(rows) and isinstance(rows[0][i], (int, float)) for i in range(len(columns))]

    def cell(tag: str, value: Any, right: bool) -> str:
        return f"<{tag}{' class=number' if right else ''}>{escape(number(value))}</{tag}>"

    head = "".join(cell("th", column, right) for column, right in zip(columns, numeric, strict=True))
    body = "".join(
        "<tr>" + "".join(cell("td", value, right) for value, right in zip(row, numeric, strict=True)) + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def facts(pairs: Iterable[tuple[str, Any]]) -> str:
    """Labelled values, one a line."""
    rows = "".join(
        f'<tr><th scope="row">{escape(label)}</th><td>{escape(number(value))}</td></tr>'
        for label, value in pairs
    )
    return f'<div class="scroll"><table class="facts"><tbody>{rows}</tbody></table></div>'


def bullets(lines: Iterable[str]) -> str:
    """A list of plain sentences."""
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def figure(svg: str, caption: str) -> str:
    """An inline picture with its caption."""
    return f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"


def number(value: Any) -> str:
    """A number as people read it: integers in groups of three, reals to four digits."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    if not math.isfinite(value):
        return "\u221e" if value > 0 else str(value)
    return f"{value:.4g}"


def raised(exponent: int) -> str:
    """An integer in raised digits, for exponents and dimensions."""
    return str(exponent).translate(
        str.maketrans("-0123456789", "\u207b\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079")
    )


def versions() -> list[tuple[str, str]]:
    """What computed this: the package, Python and the libraries that touch numbers."""
    from slth import __version__

    found = [("slth", __version__), ("Python", platform.python_version())]
    for name in ("numpy", "scipy", "numba", "ortools"):
        try:
            found.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            found.append((name, "absent"))
    return found
