"""The parts that pages are made of: one style sheet, a frame, tiles, tables; text is always escaped.

Pages stand alone: no script, no font, no picture and no style from elsewhere.
"""

from __future__ import annotations

import html
import math
import platform
from collections.abc import Iterable, Sequence
from importlib import metadata
from typing import Any

STYLE = """
:root { --ink: #1f2328; --quiet: #59636e; --line: #d8dee4; --wash: #f6f8fa; --good: #00704f; --bad: #b34700; --link: #0059a6; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2.2rem 1.4rem 4rem; max-width: 62rem; color: var(--ink); background: #fff;
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .4rem; }
h2 { font-size: 1.15rem; margin: 2.4rem 0 .7rem; padding-bottom: .3rem; border-bottom: 1px solid var(--line); }
p { margin: .5rem 0; max-width: 48rem; }
a { color: var(--link); }
.lead { color: var(--quiet); font-size: 1.05rem; }
.quiet { color: var(--quiet); font-size: .9rem; }
.verdict { margin: 1.3rem 0; padding: .8rem 1.1rem; border-left: 5px solid var(--quiet); background: var(--wash);
  max-width: none; }
.verdict.good { border-color: var(--good); } .verdict.bad { border-color: var(--bad); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(11.5rem, 1fr)); gap: .7rem; margin: 1rem 0; padding: 0; }
.tile { border: 1px solid var(--line); border-radius: 6px; padding: .7rem .9rem; }
.tile dt { color: var(--quiet); font-size: .85rem; }
.tile dd { margin: .1rem 0 0; font-size: 1.45rem; font-variant-numeric: tabular-nums; }
.tile small { display: block; font-size: .82rem; line-height: 1.35; color: var(--quiet); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .32rem .8rem .32rem 0; text-align: left; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--quiet); font-weight: 600; }
td.number, th.number { text-align: right; white-space: nowrap; }
table.facts th { width: 14rem; font-weight: 400; }
figure { margin: 1rem 0; } figure svg { width: 100%; max-width: 44rem; height: auto; }
figcaption { color: var(--quiet); font-size: .9rem; max-width: 48rem; }
code, pre { font: .9em ui-monospace, "DejaVu Sans Mono", monospace; }
pre { background: var(--wash); padding: .7rem .9rem; overflow-x: auto; border-radius: 6px; }
ul { max-width: 48rem; padding-left: 1.2rem; }
@media print { body { padding: 0; max-width: none; } h2 { break-after: avoid; } figure, .tile { break-inside: avoid; } }
"""


def escape(value: Any) -> str:
    """Text as HTML."""
    return html.escape(str(value), quote=True)


def page(title: str, body: str) -> str:
    """A complete document around `body`."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
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
        f'<div class="tile"><dt>{escape(label)}</dt><dd>{escape(value)}<small>{escape(remark)}</small></dd></div>'
        for label, value, remark in items
    )
    return f'<dl class="tiles">{cells}</dl>'


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Rows under headings; numbers stand to the right."""
    numeric = [bool(rows) and isinstance(rows[0][i], (int, float)) for i in range(len(columns))]

    def cell(tag: str, value: Any, right: bool) -> str:
        return f'<{tag}{" class=number" if right else ""}>{escape(number(value))}</{tag}>'

    head = "".join(cell("th", column, right) for column, right in zip(columns, numeric, strict=True))
    body = "".join(
        "<tr>" + "".join(cell("td", value, right) for value, right in zip(row, numeric, strict=True)) + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def facts(pairs: Iterable[tuple[str, Any]]) -> str:
    """Labelled values, one a line."""
    rows = "".join(
        f'<tr><th scope="row">{escape(label)}</th><td>{escape(number(value))}</td></tr>' for label, value in pairs
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
