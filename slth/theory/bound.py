"""Owns what a bound is: a theorem that states itself, checks its hypotheses and gives its values."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from slth._validate import as_choice, as_integer, as_real
from slth.errors import InvalidInput
from slth.theory.constants import PRESETS

Number = int | float | bool | str | None


@dataclass(frozen=True)
class Hypothesis:
    """One hypothesis, checked.

    Attributes
    ----------
    text : str
        The hypothesis in words and symbols.
    holds : bool or None
        None when the inputs do not decide it, or when nobody has proved it.
    numbers : mapping
        The numbers that were compared.
    """

    text: str
    holds: bool | None
    numbers: Mapping[str, Number] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "numbers", MappingProxyType(dict(self.numbers)))

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready copy."""
        return {"text": self.text, "holds": self.holds, "numbers": dict(self.numbers)}


@dataclass(frozen=True)
class Input:
    """One named input of a bound: what it is, what it may be, and its default.

    `kind` is one of `integer`, `real`, `integers` (a sequence), `choice` and `preset` (a positive number or
    one of the words `one`, `literal`, `fitted`). Inputs that are not `required` default to `default`.
    """

    name: str
    text: str
    kind: str = "real"
    required: bool = False
    default: Any = None
    low: float | None = None
    high: float | None = None
    open_low: bool = False
    open_high: bool = False
    choices: tuple[str, ...] = ()

    def parse(self, value: Any) -> Any:
        """Canonical value, or InvalidInput; None stays None where it is the default."""
        if value is None and self.default is None and not self.required:
            return None
        if self.kind == "integer":
            low = None if self.low is None else int(self.low)
            high = None if self.high is None else int(self.high)
            return as_integer(value, self.name, low=low, high=high)
        if self.kind == "integers":
            if isinstance(value, (str, bytes)) or not hasattr(value, "__len__") or len(value) < 2:
                raise InvalidInput(
                    f"`{self.name}` must be a sequence of at least two integers >= 1; got {value!r}."
                )
            return tuple(as_integer(item, self.name, low=1) for item in value)
        if self.kind == "choice":
            return as_choice(value, self.name, self.choices)
        if self.kind == "preset" and isinstance(value, str):
            return as_choice(value, self.name, PRESETS)
        return as_real(
            value, self.name, low=self.low, high=self.high, open_low=self.open_low, open_high=self.open_high
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready copy."""
        return {
            "name": self.name,
            "text": self.text,
            "kind": self.kind,
            "required": self.required,
            "default": self.default,
            "choices": list(self.choices if self.kind != "preset" else PRESETS),
        }


Values = dict[str, Any]
Evaluator = Callable[[Mapping[str, Any]], tuple[Values, tuple[Hypothesis, ...]]]


@dataclass(frozen=True)
class Bound:
    """A theorem that can be evaluated.

    Attributes
    ----------
    name : str
        Word that names it, e.g. `theorem-3`.
    title, statement : str
        What it says, with the formula.
    source : str
        Paper key and number.
    remarks : tuple of str
        What a careful reader has to know: gaps, ranges of validity, how we depart from the print.
    inputs : tuple of Input
    evaluator : callable
        From canonical inputs to values and checked hypotheses.
    """

    name: str
    title: str
    statement: str
    source: str
    remarks: tuple[str, ...]
    inputs: tuple[Input, ...]
    evaluator: Evaluator = field(repr=False)

    def evaluate(self, **inputs: Any) -> Evaluation:
        """Evaluate at named inputs; see `inputs` for their names, ranges and defaults.

        Raises
        ------
        InvalidInput
            If an input is unknown, missing or outside its range.
        """
        canonical = self._parse(inputs)
        values, hypotheses = self.evaluator(canonical)
        return Evaluation(self, MappingProxyType(canonical), MappingProxyType(values), hypotheses)

    def check(self, **inputs: Any) -> tuple[Hypothesis, ...]:
        """The hypotheses at these inputs, each with whether it holds and the numbers compared."""
        return self.evaluate(**inputs).hypotheses

    def to_dict(self) -> dict[str, Any]:
        """The statement and the accepted inputs, JSON-ready."""
        return {
            "name": self.name,
            "title": self.title,
            "statement": self.statement,
            "source": self.source,
            "remarks": list(self.remarks),
            "inputs": [item.to_dict() for item in self.inputs],
        }

    def _parse(self, given: Mapping[str, Any]) -> dict[str, Any]:
        accepted = ", ".join(
            item.name if item.required else f"{item.name} = {item.default!r}" for item in self.inputs
        )
        known = [item.name for item in self.inputs]
        for name in given:
            if name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                hint = f" Did you mean `{close[0]}`?" if close else ""
                raise InvalidInput(f"`{name}` is not an input of {self.name}. It accepts: {accepted}.{hint}")
        missing = [item.name for item in self.inputs if item.required and item.name not in given]
        if missing:
            names = ", ".join(f"`{name}`" for name in missing)
            raise InvalidInput(f"{names} must be given to {self.name}. It accepts: {accepted}.")
        return {item.name: item.parse(given.get(item.name, item.default)) for item in self.inputs}


@dataclass(frozen=True)
class Evaluation:
    """A bound at given inputs.

    Attributes
    ----------
    bound : Bound
    inputs : mapping
        Canonical inputs, defaults filled in.
    values : mapping
        What the bound gives: sizes, probabilities, counts.
    hypotheses : tuple of Hypothesis
    """

    bound: Bound
    inputs: Mapping[str, Any]
    values: Mapping[str, Any]
    hypotheses: tuple[Hypothesis, ...]

    @property
    def name(self) -> str:
        """Name of the bound."""
        return self.bound.name

    @property
    def statement(self) -> str:
        """Statement of the bound."""
        return self.bound.statement

    @property
    def holds(self) -> bool | None:
        """True if every hypothesis holds, False if one fails, None if one is undecided."""
        answers = [hypothesis.holds for hypothesis in self.hypotheses]
        if any(answer is False for answer in answers):
            return False
        return None if any(answer is None for answer in answers) else True

    def check(self) -> tuple[Hypothesis, ...]:
        """The hypotheses, recomputed from the inputs."""
        return self.bound.check(**self.inputs)

    def summary(self) -> dict[str, Any]:
        """Everything, JSON-ready: statement, inputs, values, hypotheses, verdict."""
        return {
            "name": self.bound.name,
            "title": self.bound.title,
            "statement": self.bound.statement,
            "source": self.bound.source,
            "remarks": list(self.bound.remarks),
            "inputs": {key: _plain(value) for key, value in self.inputs.items()},
            "values": {key: _plain(value) for key, value in self.values.items()},
            "hypotheses": [hypothesis.to_dict() for hypothesis in self.hypotheses],
            "holds": self.holds,
        }

    def to_dict(self) -> dict[str, Any]:
        """The same as `summary`."""
        return self.summary()


def exactly_one(inputs: Mapping[str, Any], first: str, second: str) -> None:
    """Raise InvalidInput unless exactly one of two optional inputs is given.

    Parameters
    ----------
    inputs : mapping
        Canonical inputs.
    first, second : str
        Their names.
    """
    if (inputs[first] is None) == (inputs[second] is None):
        raise InvalidInput(
            f"exactly one of `{first}` and `{second}` must be given; "
            f"got {first} = {inputs[first]!r}, {second} = {inputs[second]!r}."
        )


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
