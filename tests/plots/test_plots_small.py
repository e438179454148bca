"""Small figures draw the numbers they are given."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from slth.plots.errors import ErrorHistogram, draw_errors
from slth.plots.trials import COLOURS, draw_verification


@pytest.mark.parametrize("verdict", ["verified", "refuted", "undecided", None])
def test_verification(verdict: str | None) -> None:
    claim = None if verdict is None else {"title": "Theorem 2", "probability": 0.03}
    summary = {
        "estimate": 0.755,
        "low": 0.727,
        "high": 0.781,
        "hits": 755,
        "trials": 1000,
        "confidence": 0.95,
        "verdict": verdict,
        "claim": claim,
    }
    ax = Figure().add_subplot()
    bar, *rest = draw_verification(summary, ax)
    assert bar.get_segments()[0][:, 0].tolist() == [0.727, 0.781]
    assert bar.get_colors()[0][:3] == pytest.approx(
        [int(COLOURS[verdict][i : i + 2], 16) / 255 for i in (1, 3, 5)]
    )
    texts = [text.get_text() for text in ax.texts]
    assert any("755/1000 hits" in text and "0.755 [0.727, 0.781] 95 % exact" in text for text in texts)
    assert any("Theorem 2: P \u2265 0.03" in text for text in texts) == (claim is not None)
    assert len(rest) == (4 if claim else 2)


def test_errors() -> None:
    edges = np.linspace(0, 1, 5)
    histograms = [ErrorHistogram(f"layer{i}", edges, np.array([0.1, 0.2, 0.3, 0.4]), 10 * i) for i in (1, 2)]
    ax = Figure().add_subplot()
    artists = draw_errors(histograms, ax)
    assert artists[0].get_data().values.tolist() == [0.1, 0.2, 0.3, 0.4]
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["layer1 (10 errors)", "layer2 (20 errors)"]
