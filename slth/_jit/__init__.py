"""Compiled routines: few positional arguments, contiguous arrays, no exceptions, no randomness."""
