"""`slth bound`: what the theorems say of given numbers, and whether their hypotheses hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from slth.cli.output import COMMON, Common, print_json, print_pairs, print_table, say
from slth.errors import InvalidInput

if TYPE_CHECKING:
    from slth.theory.bound import Bound, Evaluation, Input

ENDINGS = {
    True: "every hypothesis holds",
    False: "a hypothesis fails: the bound says nothing here",
    None: "no hypothesis fails; those marked ? are not decided by these numbers",
}
WORDS = {True: "holds", False: "FAILS", None: "?"}


def command(
    name: str | None = None,
    /,
    *,
    common: Common = COMMON,
    **inputs: Annotated[str, Parameter(allow_leading_hyphen=True, help="Inputs of the bound, by name.")],
) -> int:
    """State a bound, check its hypotheses at given numbers, and give its values.

    Without a name: all bounds. With a name alone: its statement and inputs.
    Exit code 0: evaluated. 1: a hypothesis fails, so that the bound says nothing.

    Example: slth bound theorem-2 --n 24 --k 8 --eps 0.01

    Parameters
    ----------
    name
        Name of the bound.
    """
    from slth.theory.bounds import BOUNDS, bound_by_name

    if name is None:
        if inputs:
            raise InvalidInput("`NAME` of a bound must come before its inputs. `slth bound` lists the names.")
        return _list(list(BOUNDS.values()), common.json)
    bound = bound_by_name(name)
    if not inputs and any(item.required for item in bound.inputs):
        return _state(bound, common.json)
    result = bound.evaluate(**_parse(bound, inputs))
    if common.json:
        print_json("bound", result.summary())
    else:
        _show(result)
    return 1 if result.holds is False else 0


def _parse(bound: Bound, inputs: dict[str, str]) -> dict[str, Any]:
    """Text to values by the kind of each input; unknown names are left for the bound to refuse."""
    kinds = {item.name: item for item in bound.inputs}
    values: dict[str, Any] = {}
    for option, text in inputs.items():
        name = option.replace("-", "_")
        values[name] = _value(text, name, kinds[name]) if name in kinds else text
    return values


def _value(text: str, name: str, item: Input) -> Any:
    try:
        if item.kind == "integer":
            return int(text)
        if item.kind == "integers":
            return tuple(int(part) for part in text.split(","))
        if item.kind == "choice" or (item.kind == "preset" and not _is_real(text)):
            return text
        return float(text)
    except ValueError:
        wanted = {"integer": "an integer", "integers": "integers like 64,32,10"}.get(item.kind, "a number")
        raise InvalidInput(f"`{name}` must be {wanted}; got {text!r}.") from None


def _is_real(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _list(bounds: list[Bound], as_json: bool) -> int:
    if as_json:
        print_json("bounds", {"bounds": [bound.to_dict() for bound in bounds]})
        return 0
    print_table(("name", "title", "inputs"), [(b.name, b.title, _signature(b)) for b in bounds])
    say("slth bound NAME states one; inputs in brackets have defaults.")
    return 0


def _signature(bound: Bound) -> str:
    shown = []
    for item in bound.inputs:
        option = f"--{item.name.replace('_', '-')}"
        shown.append(option if item.required else f"[{option}]")
    return " ".join(shown)


def _state(bound: Bound, as_json: bool) -> int:
    if as_json:
        print_json("bounds", {"bounds": [bound.to_dict()]})
        return 0
    _statement(bound)
    rows = []
    for item in bound.inputs:
        default = (
            "required" if item.required else "optional" if item.default is None else f"default {item.default}"
        )
        choices = f" ({', '.join(item.choices)})" if item.choices else ""
        rows.append((f"--{item.name.replace('_', '-')}", item.text + choices, default))
    print_table(("input", "meaning", ""), rows)
    return 0


def _statement(bound: Bound) -> None:
    say(f"{bound.name}: {bound.title}")
    say(f"  {bound.statement}")
    say(f"  source: {bound.source}")
    for remark in bound.remarks:
        say(f"  note: {remark}")
    say("")


def _show(result: Evaluation) -> None:
    _statement(result.bound)
    given = [(key, _text(value)) for key, value in result.inputs.items() if value is not None]
    print_pairs(given, title="inputs")
    say("")
    for hypothesis in result.hypotheses:
        numbers = ", ".join(f"{key} = {_text(value)}" for key, value in hypothesis.numbers.items())
        say(f"  [{WORDS[hypothesis.holds]}] {hypothesis.text}{f' ({numbers})' if numbers else ''}")
    say("")
    print_pairs([(key, _text(value)) for key, value in result.values.items()], title="values")
    say(f"\nverdict: {ENDINGS[result.holds]}")


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.8g}"
    if isinstance(value, tuple):
        return ", ".join(_text(item) for item in value)
    return str(value)
