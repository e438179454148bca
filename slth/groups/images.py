"""Symmetries of image grids: translations, rotations by quarter turns and mirrors, and their convolutions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slth._typing import IntArray
from slth._validate import as_choice, as_integer, read_only
from slth.errors import CapacityExceeded, InvalidInput
from slth.groups.actions import Action
from slth.groups.families import cyclic, dihedral
from slth.groups.finite import Group, check_order
from slth.groups.intertwiners import Orbits
from slth.groups.representations import PermutationRepresentation

# name of the symmetry: (order of its rotations, whether it has mirrors)
POINT_GROUPS = {
    "p1": (1, False),
    "p2": (2, False),
    "p4": (4, False),
    "pm": (1, True),
    "pmm": (2, True),
    "p4m": (4, True),
}
FIELDS = ("scalar", "regular")
MAX_BYTES = 2**30


@dataclass(frozen=True)
class ImageGroup:
    r"""Symmetries of images with `height` x `width` pixels.

    An element (x, q) moves pixel y to q y + x, where q is a rotation or mirror (an integer 2 x 2 matrix) and x
    a translation. With `translations`, the image is a torus: coordinates are taken modulo height and width, all
    translations belong to the group, and q turns about pixel (0, 0), which together with translations is the
    same group as turning about the centre. Without, the group is that of the q alone, about the image's centre
    (x is what keeps q y + x inside the image); this is the symmetry that zero padding leaves.

    Features are *scalar* fields, one number per pixel, or *regular* fields, one number per pixel and q,
    flattened as (q, row, column). With translations, the regular field is the regular representation and
    the scalar field that on the cosets of the q, pixel y standing for the coset of translation y.

    Parameters
    ----------
    height, width : int
        At least 1; equal if there are quarter turns.
    symmetry : str
        What the q are: "p1" (nothing), "p2" (half turns), "p4" (quarter turns), and with the mirror
        left-right "pm", "pmm", "p4m".
    translations : bool, default True

    Raises
    ------
    InvalidInput
        If an argument breaks these rules.

    Notes
    -----
    q is numbered as in `cyclic` and `dihedral`, an element (x, q) as q height width + x. The maps between
    fields are the group convolutions of Cohen and Welling (2016), the first being the lifting from pixels.

    Examples
    --------
    >>> p4m = ImageGroup(16, 16, "p4m")
    >>> p4m.order, p4m.dimension("scalar"), p4m.dimension("regular")
    (2048, 256, 2048)
    """

    height: int
    width: int
    symmetry: str = "p1"
    translations: bool = True

    def __post_init__(self) -> None:
        for side in ("height", "width"):
            object.__setattr__(self, side, as_integer(getattr(self, side), side, low=1, high=2**15))
        as_choice(self.symmetry, "symmetry", tuple(POINT_GROUPS))
        if not isinstance(self.translations, bool):
            raise InvalidInput(f"`translations` must be True or False; got {self.translations!r}.")
        if POINT_GROUPS[self.symmetry][0] == 4 and self.height != self.width:
            raise InvalidInput(
                f"`height` and `width` must be equal for quarter turns; got {self.height} and {self.width} "
                f"({self.symmetry})."
            )

    @property
    def name(self) -> str:
        """Symmetry and grid, as messages and `Action.group` give it."""
        return f"{self.symmetry} on {self.height}x{self.width} {'torus' if self.translations else 'image'}"

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return self.height * self.width

    @property
    def order(self) -> int:
        """Number of elements."""
        return self._point_order * (self.pixels if self.translations else 1)

    @property
    def _point_order(self) -> int:
        turns, mirrored = POINT_GROUPS[self.symmetry]
        return turns * (2 if mirrored else 1)

    def point_group(self) -> Group:
        """The group of the rotations and mirrors q alone."""
        turns, mirrored = POINT_GROUPS[self.symmetry]
        return dihedral(turns) if mirrored else cyclic(turns)

    def group(self) -> Group:
        """The group with its table, composed by formula for a row of q at once; at most 4096 elements."""
        if not self.translations:
            return self.point_group()
        check_order(self.order, self.name)
        point, shift = self.point_group(), np.arange(self.pixels)
        names = tuple(
            f"t({x // self.width},{x % self.width}) {q}" for q in point.elements for x in shift.tolist()
        )
        return Group(self.name, self._permutations("regular"), names)

    def dimension(self, field: str) -> int:
        """Numbers per feature: one per pixel, or one per pixel and q."""
        as_choice(field, "field", FIELDS)
        return self.pixels * (self._point_order if field == "regular" else 1)

    def representation(self, field: str, group: Group | None = None) -> PermutationRepresentation:
        """The permutation representation on a field, all elements; pass `group()` if it is already there.

        Examples
        --------
        >>> ImageGroup(3, 3, "p4").representation("scalar").permutations.shape
        (36, 9)
        """
        group = self.group() if group is None else group
        return PermutationRepresentation(f"{field} field of {self.name}", group, self._permutations(field))

    def action(self, field: str) -> Action:
        """The action on a field by generators only; no table, for grids of any size.

        Generators: one column to the right and one row down (with translations), then the smallest turn and the
        mirror, where the symmetry has them.
        """
        as_choice(field, "field", FIELDS)
        turns, mirrored = POINT_GROUPS[self.symmetry]
        steps = [(1, 0), (self.width % self.pixels, 0)] if self.translations else []
        steps += [(0, q) for q in ([1] if turns > 1 else []) + ([turns] if mirrored else [])]
        rows = [self._of_turn(field, q, np.array([x]))[0] for x, q in steps]
        return Action(self.name, np.array(rows, dtype=np.int64).reshape(len(rows), self.dimension(field)))

    def convolution(self, source: str, target: str, size: int) -> Orbits:
        r"""Equivariant maps between fields that reach `size` x `size` pixels around each pixel.

        A regular target at (q, x) reads a regular source at (p, y) with the weight
        :math:`\psi(q^{-1}p, q^{-1}(y-x))`, a scalar source with
        :math:`\psi(q^{-1}(y-x))`; a scalar target reads a regular source with :math:`\psi(p^{-1}(y-x))`, and a
        scalar one with a weight that is equal on offsets exchanged by some q.
        Applying an element (z, r) to both sides leaves each expression as it is, which proves equivariance; the
        supports are the orbits of the group on pairs within the window (without translations: unions of such
        orbits, shared by all pixels, and what leaves the image is read as zero).

        Parameters
        ----------
        source, target : str
            "scalar" or "regular".
        size : int
            Odd, 1 <= size <= min(height, width).

        Returns
        -------
        Orbits
            Label g size^2 + (a + size // 2) size + (b + size // 2) is the weight at group element g (none for
            scalar fields) and offset (a, b), as a (g, size, size) kernel would be flattened; scalar to scalar,
            labels follow the first offset of each class. -1 outside the window. One bias.

        Raises
        ------
        InvalidInput
            For an even or too large size.
        CapacityExceeded
            If the labels would need more than 1 GiB.

        Examples
        --------
        >>> ImageGroup(8, 8, "p4m").convolution("scalar", "regular", 3).count
        9
        """
        rows, columns = self.dimension(target), self.dimension(source)
        size = as_integer(size, "size", low=1, high=min(self.height, self.width))
        if size % 2 == 0:
            raise InvalidInput(f"`size` must be odd, so that the window has a centre; got {size}.")
        check_labels(rows, columns)
        labels, count = self._labels(source, target, size)
        return Orbits(labels, count, np.zeros(rows, dtype=np.int64), 1)

    def _labels(self, source: str, target: str, size: int) -> tuple[IntArray, int]:
        point, n = self.point_group(), self.pixels
        turned = range(point.order)
        if target == source == "scalar":
            classes = _offset_classes([self._matrix(q) for q in turned], size)
            window = self._offsets(point.identity, size)
            return np.where(window >= 0, classes[window], -1), int(classes.max()) + 1
        windows = [self._offsets(q, size) for q in turned]
        if target == "scalar":
            return np.concatenate(windows, axis=1), size * size
        if source == "scalar":
            return np.concatenate(windows, axis=0), size * size
        labels = np.empty((point.order, n, point.order, n), dtype=np.int64)
        for q in turned:
            for p in turned:
                relative = int(point.table[point.inverses[q], p])
                labels[q, :, p] = np.where(windows[q] >= 0, windows[q] + relative * size * size, -1)
        return labels.reshape(point.order * n, -1), point.order * size * size

    def _offsets(self, q: int, size: int) -> IntArray:
        """Place of q^-1 (y - x) in the window for every pixel x (row) and y (column), -1 outside."""
        inverse = self._matrix(int(self.point_group().inverses[q]))
        grid = self._grid()
        difference = grid[None, :, :] - grid[:, None, :]
        offset = difference @ inverse.T + size // 2
        if self.translations:
            offset %= np.array([self.height, self.width])
        inside = ((offset >= 0) & (offset < size)).all(axis=-1)
        return np.where(inside, offset[..., 0] * size + offset[..., 1], -1)

    def _permutations(self, field: str) -> IntArray:
        as_choice(field, "field", FIELDS)
        shifts = np.arange(self.pixels) if self.translations else np.zeros(1, dtype=np.int64)
        images: IntArray = read_only(
            np.concatenate([self._of_turn(field, q, shifts) for q in range(self._point_order)])
        )
        return images

    def _of_turn(self, field: str, q: int, shifts: IntArray) -> IntArray:
        """Permutations of the elements (x, q) for all x in `shifts`, (number of shifts, dimension)."""
        matrix = self._matrix(q)
        moved = self._grid() @ matrix.T
        if not self.translations:
            moved = moved - moved.min(axis=0)  # about the centre: the image lands on itself
        row = (moved[:, 0] + (shifts // self.width)[:, None]) % self.height
        column = (moved[:, 1] + (shifts % self.width)[:, None]) % self.width
        pixel = row * self.width + column
        if field == "scalar":
            return pixel
        composed = self.point_group().table[q]
        return np.concatenate([p * self.pixels + pixel for p in composed], axis=1)

    def _grid(self) -> IntArray:
        numbers = np.arange(self.pixels)
        return np.stack([numbers // self.width, numbers % self.width], axis=-1)

    def _matrix(self, q: int) -> IntArray:
        """The integer matrix r^a s^b on (row, column) of point element q = b turns + a."""
        turns, _ = POINT_GROUPS[self.symmetry]
        turn = np.array([[0, -1], [1, 0]], dtype=np.int64)
        matrix = np.linalg.matrix_power(turn, (q % turns) * (4 // turns))
        return matrix @ np.diag([1, -1]) if q >= turns else matrix


def check_labels(rows: int, columns: int) -> None:
    """Refuse label arrays beyond 1 GiB before they are made."""
    if 8 * rows * columns > MAX_BYTES:
        raise CapacityExceeded(
            f"labels of {rows} x {columns} pairs need about {8 * rows * columns / 2**20:.0f} MiB, more than "
            f"{MAX_BYTES // 2**20}. Use a smaller image."
        )


def _offset_classes(matrices: list[IntArray], size: int) -> IntArray:
    """Class of each offset of the window under the matrices, numbered by first occurrence."""
    numbers = np.arange(size * size)
    offsets = np.stack([numbers // size, numbers % size], axis=-1) - size // 2
    moved = np.stack([offsets @ matrix.T + size // 2 for matrix in matrices])
    first = (moved[..., 0] * size + moved[..., 1]).min(axis=0)
    return np.unique(first, return_inverse=True)[1].astype(np.int64)
