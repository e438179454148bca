"""Compiled routines: few positional arguments, contiguous arrays, no exceptions, no randomness, no allocation in hot loops."""
