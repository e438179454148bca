"""Owns the list of bounds and the door to it: `bound(name, **inputs)`."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from slth.errors import InvalidInput
from slth.theory.bound import Bound, Evaluation
from slth.theory.covering_bounds import COROLLARY_1, COROLLARY_2, THEOREM_2
from slth.theory.lower_bounds import THEOREM_5
from slth.theory.network_bounds import MALACH, PENSIA, THEOREM_3, THEOREM_4

BOUNDS: Mapping[str, Bound] = MappingProxyType(
    {
        item.name: item
        for item in (THEOREM_2, COROLLARY_1, COROLLARY_2, THEOREM_3, THEOREM_4, THEOREM_5, MALACH, PENSIA)
    }
)


def bound_by_name(name: str) -> Bound:
    """The bound called `name`, not yet evaluated.

    Parameters
    ----------
    name : str
        A key of `BOUNDS`.

    Raises
    ------
    InvalidInput
        If there is no such bound.

    Examples
    --------
    >>> bound_by_name("theorem-3").source
    'natale2024, Theorem 3'
    """
    if not isinstance(name, str) or name not in BOUNDS:
        listed = ", ".join(BOUNDS)
        close = difflib.get_close_matches(str(name), list(BOUNDS), n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise InvalidInput(f"`name` must be one of {listed}; got {name!r}.{hint}")
    return BOUNDS[name]


def bound(name: str, /, **inputs: Any) -> Evaluation:
    """Evaluate a theorem: its values, and each hypothesis with whether it holds at these inputs.

    Parameters
    ----------
    name : str
        `theorem-2`, `corollary-1`, `corollary-2`, `theorem-3`, `theorem-4`, `theorem-5`, `malach`, `pensia`.
    **inputs
        Named inputs of that bound; `available_bounds` lists them. Constants `c_amp` and `c_hyp` are numbers or
        one of the presets `one`, `literal`, `fitted`.

    Returns
    -------
    Evaluation
        With `.values`, `.hypotheses`, `.holds`, `.statement` and `.summary()` (JSON-ready).

    Raises
    ------
    InvalidInput
        If the name or an input is unknown, missing or outside its range.

    Notes
    -----
    The theorems are those of [natale2024], with [malach2020] and [pensia2020]; gaps of the printed proofs and
    the constants used are said in `.bound.remarks`. A value is what the theorem claims; it is proved only
    where `.holds` is True.

    Examples
    --------
    >>> result = bound("theorem-3", eps=1e-2, m_t=1e4, density=0.5)
    >>> round(result.values["n_star"], 3), round(result.values["overparameterization"], 2)
    (883.166, 3532.66)
    """
    return bound_by_name(name).evaluate(**inputs)


def available_bounds() -> tuple[dict[str, Any], ...]:
    """Every bound, JSON-ready: name, title, statement, source, remarks, inputs with ranges and defaults.

    Examples
    --------
    >>> [item["name"] for item in available_bounds()][:2]
    ['theorem-2', 'corollary-1']
    """
    return tuple(item.to_dict() for item in BOUNDS.values())
