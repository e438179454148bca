"""Verification of statements about random subset sums by exact trials and honest intervals."""
