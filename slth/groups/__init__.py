"""Finite groups, their representations, and the matrices that commute with them."""
