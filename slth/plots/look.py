"""The look that all figures share: colours safe for colour-blind readers, sizes for a paper's column."""

from __future__ import annotations

from typing import Any

# Okabe and Ito's palette, by what it stands for here
INK = "#1f2328"
QUIET = "#6e7781"
BLUE = "#0072b2"
SKY = "#56b4e9"
GREEN = "#009e73"
ORANGE = "#e69f00"
RED = "#d55e00"
PURPLE = "#cc79a7"

# width and height in inches: readable at the full text width of a paper, and in half of it
WIDE = (6.6, 4.3)
SMALL = (4.6, 2.6)

PARAMETERS: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.labelsize": 9.0,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "grid.color": "#d8dee4",
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.6,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "figure.constrained_layout.use": True,
}
