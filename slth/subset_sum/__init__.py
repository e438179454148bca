"""Exact subset sum on real samples: problems, results, methods, one facade."""
