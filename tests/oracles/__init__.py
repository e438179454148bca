"""Slow, literal, independent versions of what slth computes; nothing here imports slth."""
