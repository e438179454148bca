"""The frontier figure as a file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from functools import partial

from slth.errors import InvalidInput
from slth.experiments.frontier_cell import Recipe
from slth.experiments.frontier_rows import FrontierRow
from slth.plots.frontier import draw_frontier
from slth.reports.figures import render

SIZE = (6.6, 5.4)
_NAMED = ("target", "domain", "eps", "relative_eps", "arrangement", "budget", "search", "window", "law")


def series_of(rows: Iterable[FrontierRow]) -> dict[str, list[FrontierRow]]:
    """Rows by target, domain, error and recipe; labels say what tells the series apart and is not as usual."""
    groups: dict[tuple[object, ...], list[FrontierRow]] = {}
    for row in rows:
        groups.setdefault(tuple(getattr(row, name) for name in _NAMED), []).append(row)
    differ = [len({key[place] for key in groups}) > 1 for place in range(len(_NAMED))]
    differ[0], differ[_NAMED.index("eps")] = True, False
    usual = asdict(Recipe())
    found = {}
    for key, mine in groups.items():
        words = [
            str(value) if isinstance(value, str) else f"{name.replace('_', ' ')} {value:g}"
            for name, value, needed in zip(_NAMED, key, differ, strict=True)
            if needed and value is not None and value != usual.get(name)
        ]
        label = ", ".join(words)
        found[label if label not in found else f"{label}, eps {key[2]:g}"] = mine
    return found


def frontier_figure(rows: Iterable[FrontierRow], *, kind: str = "svg") -> bytes:
    """The figure as the bytes of an "svg" or "png" file; the same rows give the same bytes."""
    series = series_of(rows)
    if not series:
        raise InvalidInput("`ledger` must hold a finished density of a frontier; got none.")
    relative = {row.relative_eps for mine in series.values() for row in mine}
    (only,) = relative if len(relative) == 1 else (None,)
    title = None if only is None else f"certified \u03b5 = {only:.3g} of the largest output"
    draw = partial(draw_frontier, series)
    return render(draw, kind=kind, size=SIZE, name="frontier", title=title)
