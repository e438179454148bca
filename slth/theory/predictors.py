"""Owns the door to predictions and guarantees: one place to import them from."""

from __future__ import annotations

from slth.theory.averaged import averaged_cover, averaged_miss
from slth.theory.catalogue import PREDICTORS, predictor
from slth.theory.conditional import conditional_bound
from slth.theory.covering import cover_probability, uncovered_probability
from slth.theory.halves import two_halves_bound
from slth.theory.hitting import hit_probability, miss_probability
from slth.theory.predictor import Prediction, Predictor
from slth.theory.quenched import log_intensity, sample_cover, sample_misses
from slth.theory.second_moment import second_moment_bound
from slth.theory.sizes import n_cover, n_first_moment, n_hit

__all__ = [
    "PREDICTORS",
    "Prediction",
    "Predictor",
    "averaged_cover",
    "averaged_miss",
    "conditional_bound",
    "cover_probability",
    "hit_probability",
    "log_intensity",
    "miss_probability",
    "n_cover",
    "n_first_moment",
    "n_hit",
    "predictor",
    "sample_cover",
    "sample_misses",
    "second_moment_bound",
    "two_halves_bound",
    "uncovered_probability",
]
