"""Groups by definition: axioms over all triples, orbits over all elements, group convolutions with loops."""

from __future__ import annotations

from itertools import product

import numpy as np


def failing_triple(table):
    """The first (a, b, c) with (a b) c != a (b c), or None."""
    n = len(table)
    for a, b, c in product(range(n), repeat=3):
        if table[table[a][b]][c] != table[a][table[b][c]]:
            return a, b, c
    return None


def is_group(table):
    """Closure, associativity over all triples, identity and inverses, element by element."""
    n = len(table)
    if any(not 0 <= entry < n for row in table for entry in row) or failing_triple(table) is not None:
        return False
    units = [e for e in range(n) if all(table[e][a] == a == table[a][e] for a in range(n))]
    if len(units) != 1:
        return False
    return all(any(table[a][b] == units[0] == table[b][a] for b in range(n)) for a in range(n))


def orbits_of_pairs(outer, inner):
    """Set of orbits (frozensets of pairs) given *all* elements' permutations of the outputs and inputs."""
    pairs = [(i, j) for i in range(len(outer[0])) for j in range(len(inner[0]))]
    return {frozenset((int(g[i]), int(h[j])) for g, h in zip(outer, inner, strict=True)) for i, j in pairs}


def label_classes(labels):
    """Set of classes (frozensets of pairs) with equal label, those of label -1 left out."""
    classes = {}
    for i, j in np.ndindex(*labels.shape):
        if labels[i, j] >= 0:
            classes.setdefault(int(labels[i, j]), set()).add((i, j))
    return {frozenset(pairs) for pairs in classes.values()}


def averaged_rank(outer, inner):
    """Rank of the averaging operator W -> mean of rho_out(g) W rho_in(g)^-1, over all elements' matrices."""
    s, t = len(outer[0]), len(inner[0])
    total = np.zeros((s * t, s * t))
    for a, b in zip(outer, inner, strict=True):
        total += np.kron(a, np.linalg.inv(b).T)
    return int(np.linalg.matrix_rank(total / len(outer), tol=1e-8))


def turned(q, turns, a, b):
    """Offset (a, b) under r^i s^j, q = j turns + i; a quarter turn r is (row, column) -> (-column, row)."""
    if q >= turns:
        b = -b
    for _ in range((q % turns) * (4 // turns)):
        a, b = -b, a
    return a, b


def lifting_convolution(image, kernel, turns, mirrored, wrap):
    """out[q, x] = sum over offsets d of kernel[d] image[x + q d], with loops."""
    height, width = image.shape
    radius = len(kernel) // 2
    out = np.zeros((turns * (1 + mirrored), height, width))
    for q, i, j in np.ndindex(*out.shape):
        for a, b in product(range(-radius, radius + 1), repeat=2):
            da, db = turned(q, turns, a, b)
            row, column = i + da, j + db
            if wrap:
                row, column = row % height, column % width
            if 0 <= row < height and 0 <= column < width:
                out[q, i, j] += kernel[a + radius, b + radius] * image[row, column]
    return out


def group_convolution(features, kernel, turns, wrap, product_table):
    """out[q, x] = sum over h, d of kernel[h, d] features[q h, x + q d], with loops."""
    _, height, width = features.shape
    radius = kernel.shape[1] // 2
    out = np.zeros_like(features)
    for q, i, j in np.ndindex(*out.shape):
        for h in range(len(features)):
            for a, b in product(range(-radius, radius + 1), repeat=2):
                da, db = turned(q, turns, a, b)
                row, column = i + da, j + db
                if wrap:
                    row, column = row % height, column % width
                if 0 <= row < height and 0 <= column < width:
                    out[q, i, j] += (
                        kernel[h, a + radius, b + radius] * features[product_table[q][h], row, column]
                    )
    return out
