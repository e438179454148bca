"""Owns the list of predictions: one place to import them from; hitting, covering and sizes compute them."""

from __future__ import annotations

from slth.theory.covering import cover_probability, uncovered_probability
from slth.theory.hitting import hit_probability, miss_probability
from slth.theory.sizes import n_cover, n_first_moment, n_hit

__all__ = [
    "cover_probability",
    "hit_probability",
    "miss_probability",
    "n_cover",
    "n_first_moment",
    "n_hit",
    "uncovered_probability",
]
