"""What a ticket says of itself: how it was built (Construction) and what is claimed of it (Certificate).

Both are plain values with a strict JSON form. Numbers are written as JSON numbers in Python's shortest
form, which reads back bit for bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from slth._typing import FloatArray, IntArray
from slth.errors import InvalidInput
from slth.networks.domain import Domain
from slth.tickets.layer import LIFTED, TicketLayer
from slth.tickets.scaling import Scale

FORMAT = "slth-certificate/2"
_LAYER_KEYS = {
    "name": str,
    "outputs": int,
    "inputs": int,
    "copies": int,
    "biased": bool,
    "signed": bool,
    "scale_exponent": int,
    "bias_exponent": int,
    "arrangement": str,
    "k": int,
    "window": int,
    "tolerance": float,
}
_LIFTED_KEYS = {**_LAYER_KEYS, "lifts": int, "lift_exponent": int}
# Far more constants than any layer is lifted by; a single one is that of the bias.
_MOST_LIFTS = 1 << 16
# What `slth.prune` accepts.
_LARGEST_K = 1 << 20


@dataclass(frozen=True)
class Construction:
    """How a ticket was built: everything but the random weights and the target."""

    eps: float | None
    search: str
    budget: str
    domain: Domain
    layers: tuple[TicketLayer, ...]

    @property
    def arrangement(self) -> str:
        """Arrangements of the layers, each once, in order."""
        return ", ".join(dict.fromkeys(layer.arrangement for layer in self.layers))

    @property
    def scales(self) -> tuple[Scale, ...]:
        """Scale of each layer."""
        return tuple(layer.scale for layer in self.layers)

    def to_json(self) -> dict[str, Any]:
        """JSON-ready form without the masks."""
        return {
            "eps": self.eps,
            "search": self.search,
            "budget": self.budget,
            "domain": self.domain.to_json(),
            "layers": [{key: getattr(layer, key) for key in _keys(layer.lifts)} for layer in self.layers],
        }

    @classmethod
    def from_json(cls, record: Any, packed: list[Any], members: list[Any]) -> Construction:
        """Read `to_json`'s form; `packed` and `members` belong to each layer. Raises InvalidInput."""
        eps = type(None) if isinstance(record, dict) and record.get("eps") is None else float
        expect(
            record,
            {"eps": eps, "search": str, "budget": str, "domain": dict, "layers": list},
        )
        if len(record["layers"]) != len(packed):
            raise InvalidInput(
                f"`layers` must match the {len(packed)} stored masks; got {len(record['layers'])}."
            )
        layers = []
        for item, edges, own in zip(record["layers"], packed, members, strict=True):
            expect(item, _keys(isinstance(item, dict) and "lifts" in item))
            layer = TicketLayer(packed=edges, members=own, **item)
            if "lifts" in item and not (layer.arrangement == LIFTED and 2 <= layer.lifts <= _MOST_LIFTS):
                raise InvalidInput(f"layer {layer.name!r}: `lifts` is out of range, or nothing is lifted.")
            wanted = (layer.outputs, layer.columns, -(-layer.copies // 8))
            if edges.shape != wanted:
                raise InvalidInput(
                    f"layer {layer.name!r}: its mask must have shape {wanted}; got {edges.shape}."
                )
            spare = -layer.copies % 8
            if spare and (edges[:, :, -1] >> (8 - spare)).any():
                raise InvalidInput(f"layer {layer.name!r}: its mask has bits beyond its {layer.copies} copies.")
            if own is not None:
                _check_members(layer, own)
            exponents = max(map(abs, (layer.scale_exponent, layer.bias_exponent, layer.lift_exponent)))
            fits = 1 <= layer.k <= _LARGEST_K and layer.window >= 0 and layer.tolerance > 0
            if exponents > 1000 or not fits:
                raise InvalidInput(f"layer {layer.name!r}: k, tolerance or scale is out of range.")
            layers.append(layer)
        rest = {key: record[key] for key in ("eps", "search", "budget")}
        return cls(domain=Domain.from_json(record["domain"]), layers=tuple(layers), **rest)


def _keys(lifted: object) -> dict[str, type]:
    """What a layer's record holds."""
    return _LIFTED_KEYS if lifted else _LAYER_KEYS


def _check_members(layer: TicketLayer, members: IntArray) -> None:
    """Each owner has N hidden neurons, and no neuron two owners."""
    wanted = (layer.groups, layer.copies)
    if members.shape != wanted:
        raise InvalidInput(f"layer {layer.name!r}: its members must have shape {wanted}; got {members.shape}.")
    if not np.array_equal(np.sort(members, axis=None), np.arange(members.size)):
        raise InvalidInput(f"layer {layer.name!r}: its members must name every hidden neuron once.")


@dataclass(frozen=True)
class Certificate:
    """What is claimed, in the target's own units, of sup over the domain of ||ticket(x) - target(x)||_2.

    A ticket built to a tolerance per weight claims only its weights: the numbers about outputs are None.

    Attributes
    ----------
    largest_errors, rms_errors : tuple of float
        Per layer, of the entries of the error matrices, in scaled units.
    bound : float or None
        Proved upper bound: the smaller of `a_posteriori` and `budget`.
    a_posteriori : float or None
        Bound from the actual error matrices.
    budget : float or None
        Bound from the tolerances alone.
    contributions : tuple of float
        What each layer's own error adds to `a_posteriori`.
    lower_estimate : float or None
        Error at `worst_input`, evaluated exactly and rounded down: a proved lower bound.
    worst_input : float64 (d,)
        The worst input that projected gradient search and the given data found.
    inputs_checked, predictions_proved, predictions_equal : int
        Given inputs; those whose prediction is proved equal by the bound; those with equal float64 argmax.
    """

    largest_errors: tuple[float, ...]
    rms_errors: tuple[float, ...]
    bound: float | None = None
    a_posteriori: float | None = None
    budget: float | None = None
    contributions: tuple[float, ...] = ()
    lower_estimate: float | None = None
    worst_input: FloatArray = field(default_factory=lambda: np.zeros(0))
    inputs_checked: int = 0
    predictions_proved: int = 0
    predictions_equal: int = 0

    def to_json(self) -> dict[str, Any]:
        """JSON-ready form."""
        record: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            record[item.name] = list(map(float, value)) if isinstance(value, (tuple, np.ndarray)) else value
        return {"norm": "l2", **record}

    @classmethod
    def from_json(cls, record: Any, layers: int, *, output: bool) -> Certificate:
        """Read `to_json`'s form for a ticket of that many layers; `output`: with claims about outputs.

        Raises InvalidInput.
        """
        lists = ("contributions", "worst_input", "largest_errors", "rms_errors")
        counts = ("inputs_checked", "predictions_proved", "predictions_equal")
        numbers = ("bound", "a_posteriori", "budget", "lower_estimate")
        kinds = dict.fromkeys(numbers, float if output else type(None))
        expect(record, {"norm": str, **dict.fromkeys(lists, list), **dict.fromkeys(counts, int), **kinds})
        if record["norm"] != "l2":
            raise InvalidInput(f"`norm` must be 'l2'; got {record['norm']!r}.")
        for name in lists:
            if not all(type(value) is float for value in record[name]):
                raise InvalidInput(f"`{name}` must be a list of numbers.")
            wanted = layers if output or name.endswith("errors") else 0
            if name != "worst_input" and len(record[name]) != wanted:
                raise InvalidInput(f"`{name}` must have {wanted} number(s); got {len(record[name])}.")
        values = {key: value for key, value in record.items() if key != "norm"}
        values.update({name: tuple(record[name]) for name in lists})
        worst = np.array(record["worst_input"], dtype=np.float64)
        worst.setflags(write=False)
        return cls(**{**values, "worst_input": worst})


def expect(record: Any, keys: dict[str, type]) -> None:
    """Require exactly these keys with exactly these types and finite floats; raise InvalidInput otherwise."""
    if not isinstance(record, dict) or set(record) != set(keys):
        got = sorted(record) if isinstance(record, dict) else type(record).__name__
        raise InvalidInput(f"the record must have exactly the keys {sorted(keys)}; got {got}.")
    for key, kind in keys.items():
        if type(record[key]) is not kind:
            raise InvalidInput(f"`{key}` must be of type {kind.__name__}; got {type(record[key]).__name__}.")
        if kind is float and not math.isfinite(record[key]):
            raise InvalidInput(f"`{key}` must be finite.")
