"""Probability laws of samples: one random word to a number, densities and cdfs of sums."""
