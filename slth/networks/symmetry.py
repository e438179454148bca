"""A group that acts on inputs and outputs of a network, declared, and how far a function keeps it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from slth._typing import FloatArray, IntArray
from slth._validate import read_only
from slth.errors import InvalidInput
from slth.groups.actions import Action
from slth.groups.arrays import as_permutations
from slth.groups.intertwiners import check_together
from slth.groups.representations import PermutationRepresentation

# Groups up to this size are gone through element by element; of larger ones, generators and SAMPLE words.
MAX_ELEMENTS = 10_000
SAMPLE = 1_000
# Numbers that the permutations of all elements may be, and that are moved at once.
MAX_NUMBERS = 2**25
CHUNK = 2**21


@dataclass(frozen=True, eq=False)
class Symmetry:
    r"""Permutations of a network's inputs and outputs for each generator of a group.

    A network f is equivariant if :math:`f(\rho_{in}(g) x) = \rho_{out}(g) f(x)` for all x and g, where
    :math:`(\rho(g) x)_{g(i)} = x_i`; it is enough that it holds for generators. What the user declares is
    not proved by declaring it: `measure` says how far it holds.

    Parameters
    ----------
    group : str
        Name, for messages and reports.
    inputs, outputs : (k, d) and (k, d') arrays of int
        Row g is the permutation that generator g makes; position i holds the image of i.

    Raises
    ------
    InvalidInput
        If a row is no permutation, or the numbers of generators differ.

    Examples
    --------
    >>> swap = Symmetry("C_2", [[1, 0]], [[0]])
    >>> swap.elements()[0].tolist()
    [[0, 1, 2], [1, 0, 2]]
    """

    group: str
    inputs: IntArray
    outputs: IntArray

    def __post_init__(self) -> None:
        if not isinstance(self.group, str) or not 1 <= len(self.group) <= 255 or not self.group.isprintable():
            raise InvalidInput(f"`group` must be 1 to 255 printable characters; got {self.group!r:.80}.")
        for name in ("inputs", "outputs"):
            images = as_permutations(getattr(self, name), f"{name} of {self.group}")
            object.__setattr__(self, name, read_only(images))
        if len(self.inputs) != len(self.outputs):
            raise InvalidInput(
                f"`inputs` and `outputs` of {self.group} must have one permutation per generator each; got "
                f"{len(self.inputs)} and {len(self.outputs)}."
            )

    @classmethod
    def of(
        cls,
        inputs: Action | PermutationRepresentation,
        outputs: Action | PermutationRepresentation,
        *,
        input_features: int = 1,
        output_features: int = 1,
    ) -> Symmetry:
        """From what layers are declared with: each of several features is moved alike.

        Examples
        --------
        >>> from slth.groups.actions import trivial_action, tuples
        >>> Symmetry.of(tuples(3, 1), trivial_action(tuples(3, 1)), output_features=2).outputs.tolist()
        [[0, 1], [0, 1]]
        """
        check_together(inputs, outputs)
        name = inputs.group if isinstance(inputs, Action) else inputs.group.name
        return cls(name, _repeated(inputs, input_features), _repeated(outputs, output_features))

    def elements(self) -> tuple[IntArray, bool]:
        """Joint permutations (n, d + d') of inputs and outputs, and whether they are all elements.

        All of a group of at most 10^4 elements, the identity first; of a larger one (or where permutations
        would be more than 2^25 numbers) its generators and products of 64 generators drawn at random, at
        most 1000. What commutes with generators commutes with their products: the sample shows how rounding
        errors behave, not another symmetry.
        """
        d = self.inputs.shape[1]
        steps = np.concatenate((self.inputs, self.outputs + d), axis=1)
        room = MAX_NUMBERS // steps.shape[1]
        most = min(MAX_ELEMENTS, room)
        identity = np.arange(steps.shape[1])
        found = {identity.tobytes(): identity}
        fresh = [identity]
        while fresh and len(found) <= most:
            reached = []
            for element in fresh:
                for step in steps:
                    product = step[element]
                    if found.setdefault(product.tobytes(), product) is product:
                        reached.append(product)
            fresh = reached
        if len(found) <= most:
            return np.array(list(found.values())), True
        words = np.random.default_rng(0).integers(0, len(steps), size=(min(SAMPLE, room), 64))
        products = np.tile(identity, (len(words), 1))
        for letters in words.T:
            products = np.take_along_axis(steps[letters], products, axis=1)
        return np.concatenate((steps, products)), False

    def to_json(self) -> dict[str, Any]:
        """JSON-ready fields but for the arrays."""
        return {"group": self.group, "generators": len(self.inputs)}

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The arrays, by name."""
        return {"symmetry.inputs": self.inputs, "symmetry.outputs": self.outputs}

    @classmethod
    def from_json(cls, record: object, arrays: Mapping[str, npt.NDArray[Any]]) -> Symmetry:
        """Read what `to_json` and `arrays` wrote, and nothing else. Raises InvalidInput."""
        if not isinstance(record, dict) or set(record) != {"group", "generators"}:
            raise InvalidInput(f"`symmetry` must have the keys group and generators; got {record!r:.80}.")
        missing = {"symmetry.inputs", "symmetry.outputs"} - set(arrays)
        if missing:
            raise InvalidInput(f"`arrays` must hold {sorted(missing)[0]!r}.")
        found = cls(record["group"], arrays["symmetry.inputs"], arrays["symmetry.outputs"])
        if record != found.to_json():
            raise InvalidInput(f"`symmetry` must be as it is written; got {record!r:.80}.")
        return found


@dataclass(frozen=True)
class Equivariance:
    """How far a function keeps a symmetry: max |f(g x) - g f(x)| / max |f(x)| over elements g and points x.

    `complete` says whether `elements` are all of the group.
    """

    group: str
    elements: int
    complete: bool
    points: int
    error: float


def measure(
    function: Callable[[FloatArray], FloatArray], symmetry: Symmetry, points: FloatArray
) -> Equivariance:
    """Evaluate a function of rows (B, d) at all images of the points under the group, or a sample of it.

    Parameters
    ----------
    function : callable
        From (B, d) to (B, d').
    symmetry : Symmetry
    points : (N, d) array

    Examples
    --------
    >>> from slth.networks.network import dense_network
    >>> swap, x = Symmetry("C_2", [[1, 0]], [[0]]), np.array([[0.25, 0.5]])
    >>> measure(dense_network([[[1.0, 1.0]]]).forward, swap, x).error
    0.0
    >>> measure(dense_network([[[1.0, 3.0]]]).forward, swap, x).error
    0.2857142857142857
    """
    elements, complete = symmetry.elements()
    d = symmetry.inputs.shape[1]
    plain = function(points)
    scale = float(np.abs(plain).max(initial=0.0)) or 1.0
    worst = 0.0
    for chunk in _chunks(elements, len(points)):
        moved = points[:, np.argsort(chunk[:, :d], axis=1)].reshape(-1, d)
        wanted = plain[:, np.argsort(chunk[:, d:], axis=1)].reshape(len(moved), -1)
        worst = max(worst, float(np.abs(function(moved) - wanted).max()))
    return Equivariance(symmetry.group, len(elements), complete, len(points), worst / scale)


def _chunks(elements: IntArray, points: int) -> Iterator[IntArray]:
    step = max(1, CHUNK // max(1, points * elements.shape[1]))
    for start in range(0, len(elements), step):
        yield elements[start : start + step]


def _repeated(action: Action | PermutationRepresentation, features: int) -> IntArray:
    steps, size = action.generators, action.dimension
    moved: IntArray = (np.arange(features)[:, None] * size + steps[:, None, :]).reshape(len(steps), -1)
    return moved
