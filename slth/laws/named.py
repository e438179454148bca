"""Owns the list of laws and the words that name them."""

from __future__ import annotations

from typing import Any

from slth._validate import as_choice
from slth.laws.law import Law
from slth.laws.normal import Normal
from slth.laws.product import LiveProduct
from slth.laws.uniform import Uniform

LAW_NAMES = ("uniform", "normal", "product")


def law_by_name(name: Any) -> Law:
    """The law called `name`: `uniform` is U[-1, 1], `normal` is N(0, 1), `product` is the live product law.

    Parameters
    ----------
    name : {"uniform", "normal", "product"}

    Raises
    ------
    InvalidInput
        If there is no such law.

    Examples
    --------
    >>> law_by_name("product").variance
    0.1111111111111111
    """
    word = as_choice(name, "law", LAW_NAMES)
    laws: dict[str, Law] = {"uniform": Uniform(), "normal": Normal(1.0), "product": LiveProduct()}
    return laws[word]


def as_law(law: str | Law) -> Law:
    """A law as it is, or the one called so by `law_by_name`.

    Parameters
    ----------
    law : str or Law

    Raises
    ------
    InvalidInput
        If it is neither.
    """
    return law if isinstance(law, Law) else law_by_name(law)
