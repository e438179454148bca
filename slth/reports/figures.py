"""Figures as files: SVG that repeats byte for byte, PNG, and SVG to set inside a page."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from slth.errors import InvalidInput
from slth.plots.look import PARAMETERS, WIDE

SUFFIXES = (".svg", ".png")
PIXELS_PER_INCH = 160


def render(
    draw: Callable[[Any], Any],
    *,
    kind: str = "svg",
    size: tuple[float, float] = WIDE,
    name: str = "slth",
    title: str | None = None,
) -> bytes:
    """Draw on fresh axes and return the file's bytes.

    Parameters
    ----------
    draw : callable
        Called with the axes.
    kind : {"svg", "png"}
    size : (width, height) in inches
    name : str
        Goes into the identifiers of the SVG, so that two figures fit into one page.
    title : str, optional
        Above the axes.

    Notes
    -----
    No date is written, identifiers are derived from `name`, and letters are drawn as outlines: the same
    input gives the same bytes, and the same picture where the font is absent. No window system is used.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    parameters: Any = {**PARAMETERS, "svg.hashsalt": f"slth-{name}", "svg.fonttype": "path"}
    with mpl.rc_context(parameters):
        drawing = Figure(figsize=size)
        ax = drawing.add_subplot()
        draw(ax)
        if title:
            ax.set_title(title, loc="left")
        out = io.BytesIO()
        about = {"Date": None, "Creator": "slth", "Title": name} if kind == "svg" else {"Software": "slth"}
        drawing.savefig(out, format=kind, metadata=about, dpi=PIXELS_PER_INCH)
    return out.getvalue()


def inline_svg(
    draw: Callable[[Any], Any],
    *,
    size: tuple[float, float],
    name: str,
    label: str,
    title: str | None = None,
) -> str:
    """The figure as an <svg> element for a page; `label` is what a screen reader says."""
    from slth.reports.page import escape

    text = render(draw, size=size, name=name, title=title).decode("utf-8")
    element = text[text.index("<svg") :].rstrip()
    # identifiers such as figure_1 occur in every figure: make them this figure's own
    element = (
        element.replace('id="', f'id="{name}-').replace('"#', f'"#{name}-').replace("url(#", f"url(#{name}-")
    )
    metadata, end = element.find("<metadata>"), element.find("</metadata>")
    if metadata >= 0:
        element = element[:metadata] + element[end + len("</metadata>") :].lstrip()
    return element.replace("<svg ", f'<svg role="img" aria-label="{escape(label)}" ', 1)


def picture_kind(path: Path) -> str:
    """ "svg" or "png" by the suffix of `path`."""
    if path.suffix not in SUFFIXES:
        raise InvalidInput(f"`out` must end in {' or '.join(SUFFIXES)}; got {str(path)!r}.")
    return path.suffix[1:]
