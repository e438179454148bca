"""Tickets that people train: magnitude pruning, edge-popup and learned masks, beside the constructed ones.

Needs the extra `torch`; everything that reads a finished study does without.
"""
