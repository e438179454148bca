"""Probability laws of samples: from one random word to a number, densities and distribution functions of sums."""
