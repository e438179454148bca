"""`check`: re-derive everything a ticket claims from its files alone, and refuse it otherwise.

This module sees the source's specification, the target, the masks and the claims. It does not import what
arranged, pruned or solved: it regenerates the random weights, sums the kept products in exact integers,
and proves the bounds anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from slth._typing import FloatArray
from slth.errors import SlthError, TicketDamaged
from slth.networks.network import Network
from slth.networks.slots import linear_nodes, slots
from slth.tickets.agreement import agreement
from slth.tickets.attack import exact_error
from slth.tickets.certificate import (
    Derivation,
    OutputProof,
    claimed,
    derive,
    equal_predictions,
    signed_layers,
)
from slth.tickets.layer import BLOCKS, GATHERED, LIFTED, Assembled, TicketLayer
from slth.tickets.scaling import scaled_slots
from slth.tickets.storage import Contents, read_contents
from slth.tickets.subset_sizes import block_problems, first_place, size_problems, weight_problem
from slth.tickets.wiring import may_choose, wiring

# The arrangements, and whether their neurons choose their owners.
_CHOOSES = {
    "sign-matched": False,
    "paper": False,
    "assigned": True,
    "blocks": True,
    "gathered": True,
    LIFTED: True,
}
# A claim may exceed what is derived here by this much (another machine's rounding), never fall below it.
_CLAIM_ROOM = 2.0**-20


@dataclass(frozen=True)
class CheckReport:
    """What was re-derived from a ticket's files. `facts` says each thing in words."""

    path: str
    bound: float | None
    budget: float | None
    lower_estimate: float | None
    density: float
    overparameterization: float
    predictions_proved: int
    inputs_checked: int
    facts: tuple[str, ...]

    def summary(self) -> dict[str, Any]:
        """JSON-ready form."""
        return {**self.__dict__, "facts": list(self.facts), "verdict": "verified"}


def check(path: str | Path, target: Network | None = None) -> CheckReport:
    """Verify a ticket folder: its manifest, then its mathematics.

    Parameters
    ----------
    path : path of a ticket folder
    target : Network, optional
        The network the ticket should approximate. Default: the one stored with it.

    Returns
    -------
    CheckReport

    Raises
    ------
    TicketDamaged
        A file was altered, or a claim does not follow from the files; `problems` lists each.
    InvalidInput
        `path` is no ticket folder.

    Notes
    -----
    Verified: sha256 sums; every random weight regenerated; the kept products of each weight summed in
    integers and equal to the stored network; exactly k edges per weight and half (k minus dead edges in the
    paper's arrangement), from neurons that may serve it; lifted neurons above zero on all that their layer can
    read; each entry within its tolerance, compared as rationals where floats are close; both bounds, the
    contributions, the lower estimate (evaluated exactly at the stored input) and the proved predictions. Time
    O(parameters of the second sub-layers).
    """
    folder = Path(path)
    contents = read_contents(folder)
    try:
        problems, found = _problems(contents)
    except SlthError as error:
        raise TicketDamaged(f"{folder}: {error}") from error
    if target is not None and not _same_function(target, contents.target):
        problems.append("the stored target is not the network given")
    if problems or found is None:
        raise TicketDamaged(f"{folder}: " + "; ".join(problems) + ".", tuple(problems))
    construction, certificate = contents.construction, contents.certificate
    kept = sum(layer.kept_first + layer.kept_second for layer in construction.layers)
    weights = sum(layer.outputs * layer.inputs for layer in construction.layers)
    facts: tuple[str, ...] = (
        "manifest: every file has its sha256 sum",
        f"source: {contents.source.parameters} weights, specified by seed {contents.source.seed}",
        f"masks: {kept} edges kept; {weights} weights summed in exact integers, equal to the stored network",
        "subset sizes: each weight keeps what the arrangement allows, no edge serves the wrong sign",
        "tolerances: every entry of every error matrix within its layer's tolerance",
    )
    if any(layer.lifts for layer in construction.layers):
        facts += ("lifted neurons: all stay above zero on all that their layer can read",)
    if certificate.bound is None:
        facts += ("nothing is claimed of outputs: the weights are all that is certified",)
    else:
        lower = certificate.lower_estimate
        facts += (
            f"certificate: largest l2 error at most {certificate.bound!r}, at least {lower!r}",
            f"predictions: {certificate.predictions_proved} of {certificate.inputs_checked} proved equal",
        )
    return CheckReport(
        path=str(folder),
        bound=certificate.bound,
        budget=certificate.budget,
        lower_estimate=certificate.lower_estimate,
        density=kept / contents.source.parameters,
        overparameterization=contents.source.parameters / contents.target.parameters,
        predictions_proved=certificate.predictions_proved,
        inputs_checked=certificate.inputs_checked,
        facts=facts,
    )


def _problems(contents: Contents) -> tuple[list[str], Derivation | None]:
    """Everything that does not follow from the files; the derivation when the parts fit together."""
    problems = _shape_problems(contents)
    if problems:
        return problems, None
    construction = contents.construction
    found = derive(contents.source, contents.target, construction)
    weights = scaled_slots(contents.target, construction.scales)
    for index, (layer, own) in enumerate(zip(construction.layers, found.assembled, strict=True)):
        problems += _value_problems(layer, own, contents.positive[index], contents.negative[index])
        first = None
        if layer.arrangement in ("paper", BLOCKS):
            first = wiring(contents.source, index, layer.members).singles
        problems += size_problems(layer, own, weights[index], first)
        if layer.arrangement == BLOCKS and first is not None:
            problems += block_problems(layer, weights[index], first)
        problems += _tolerance_problems(layer, own, weights[index])
        if found.bent[index]:
            problems.append(
                f"layer {layer.name!r}: {found.bent[index]} lifted neuron(s) are not proved to stay above zero"
            )
    return problems + _claim_problems(contents, found), found


def _shape_problems(contents: Contents) -> list[str]:
    """Whether target, source, masks and stored network fit each other."""
    problems = []
    construction, target = contents.construction, contents.target
    nodes = linear_nodes(target)
    if construction.domain.size != target.input_size:
        return [f"the domain has {construction.domain.size} coordinates, the target {target.input_size} inputs"]
    if len(nodes) != len(construction.layers):
        return [f"the target has {len(nodes)} linear nodes, the ticket {len(construction.layers)} layers"]
    if construction.budget not in ("frobenius", "theorem", "certificate"):
        problems.append(f"unknown budget counting {construction.budget!r}")
    for index, (layer, node) in enumerate(zip(construction.layers, nodes, strict=True)):
        shape, widths, own = (layer.outputs, layer.inputs), slots(node), contents.source.layers[index]
        if layer.name != node.name or layer.biased != (node.bias is not None):
            problems.append(f"layer {layer.name!r} is not the target's node {node.name!r}")
        if layer.arrangement not in _CHOOSES:
            problems.append(f"layer {layer.name!r}: unknown arrangement {layer.arrangement!r}")
        elif _CHOOSES[layer.arrangement] != (layer.members is not None):
            problems.append(f"layer {layer.name!r}: its arrangement and the owners of its neurons do not fit")
        if (layer.arrangement == LIFTED) != (layer.lifts > 0):
            problems.append(f"layer {layer.name!r}: its arrangement and its lifting constants do not fit")
        if layer.arrangement == LIFTED and not (node.is_dense and layer.biased):
            problems.append(f"layer {layer.name!r}: neurons are lifted in dense layers with biases only")
        if layer.arrangement == GATHERED and not node.is_dense:
            problems.append(f"layer {layer.name!r}: neurons gather inputs in dense layers only")
        if layer.members is not None and not may_choose(node):
            problems.append(f"layer {layer.name!r}: its neurons cannot choose their owners")
        if layer.signed and layer.arrangement == GATHERED:
            problems.append(
                f"layer {layer.name!r}: neurons that gather inputs need ones that are never negative"
            )
        if (widths.rows, widths.inputs) != shape:
            problems.append(f"layer {layer.name!r}: target and masks differ in shape")
        if (own.outputs, own.constant_outputs) != (widths.outputs, widths.constant_outputs):
            problems.append(f"layer {layer.name!r}: target and source differ in shape")
        for half in (contents.positive[index], contents.negative[index]):
            if half is not None and half.shape != shape:
                problems.append(f"layer {layer.name!r}: stored network and masks differ in shape")
    if problems:
        return problems
    for layer, signed in zip(construction.layers, signed_layers(target, construction.domain), strict=True):
        if layer.signed != signed:
            problems.append(f"layer {layer.name!r}: `signed` does not follow from target and domain")
    return problems


def _value_problems(
    layer: TicketLayer, own: Assembled, positive: FloatArray, negative: FloatArray | None
) -> list[str]:
    """The stored network must be, bit for bit, what the kept edges compute."""
    problems = []
    for half, (derived, stored) in enumerate(((own.positive, positive), (own.negative, negative))):
        if stored is None:
            continue
        differs = derived != stored
        if differs.any():
            at = first_place(differs)
            said, sums = float(stored[at]), float(derived[at])
            what = f"the kept edges sum to {sums!r}, the stored network says {said!r}"
            problems.append(weight_problem(layer, half, differs, what))
    return problems


def _tolerance_problems(layer: TicketLayer, own: Assembled, weight: FloatArray) -> list[str]:
    """Every entry within tolerance; where the float difference is too close to call, compare rationals."""
    problems = []
    halves = [(own.positive, weight)]
    if layer.signed:
        negated = -weight
        if layer.biased:
            negated = negated.copy()
            negated[:, -1] = 0.0
        halves.append((own.negative, negated))
    for half, (value, wanted) in enumerate(halves):
        error = np.abs(value - wanted)
        wrong = error > layer.tolerance * (1 + 2.0**-50)
        for i, j in zip(*np.nonzero(~wrong & (error >= layer.tolerance * (1 - 2.0**-50))), strict=True):
            exact = abs(Fraction(float(value[i, j])) - Fraction(float(wanted[i, j])))
            wrong[i, j] = exact > Fraction(layer.tolerance)
        if wrong.any():
            what = f"error {float(error[first_place(wrong)])!r} exceeds the tolerance {layer.tolerance!r}"
            problems.append(weight_problem(layer, half, wrong, what))
    return problems


def _claim_problems(contents: Contents, found: Derivation) -> list[str]:
    """The certificate's numbers against those derived here."""
    stated = contents.certificate
    problems = []
    for name, said, derived in (
        ("largest_errors", stated.largest_errors, found.largest_errors),
        ("rms_errors", stated.rms_errors, found.rms_errors),
    ):
        if said != derived:
            problems.append(f"certificate: `{name}` says {said}, the files give {derived}")
    if found.output is None:
        if contents.inputs is not None or stated.inputs_checked or stated.worst_input.size:
            problems.append("certificate: speaks of inputs, though nothing is claimed of outputs")
        return problems
    problems += _output_problems(contents, found.output)
    return problems + _prediction_problems(contents, found)


def _output_problems(contents: Contents, derived: OutputProof) -> list[str]:
    """Claims about the output error: never below what follows here, nor far above."""
    stated, construction = contents.certificate, contents.construction
    problems = []
    claims = [
        ("bound", stated.bound, derived.bound),
        ("a_posteriori", stated.a_posteriori, derived.a_posteriori),
        ("budget", stated.budget, derived.budget),
    ]
    for index, pair in enumerate(zip(stated.contributions, derived.contributions, strict=True)):
        claims.append((f"contributions[{index}]", *pair))
    for name, said, least in claims:
        if said is None or not least <= said <= claimed(least) * (1 + _CLAIM_ROOM):
            problems.append(f"certificate: `{name}` says {said!r}, the files give {least!r}")
    if stated.bound is None or construction.eps is None or stated.bound > construction.eps:
        problems.append(f"certificate: the bound {stated.bound!r} exceeds eps = {construction.eps!r}")
    domain = construction.domain
    if stated.worst_input.shape != (domain.size,) or not domain.contains(stated.worst_input):
        problems.append("certificate: `worst_input` does not lie in the domain")
    else:
        lower = exact_error(derived.graph, stated.worst_input)
        if lower != stated.lower_estimate:
            problems.append(
                f"certificate: `lower_estimate` says {stated.lower_estimate!r}, its input gives {lower!r}"
            )
    return problems


def _prediction_problems(contents: Contents, found: Derivation) -> list[str]:
    stated, inputs = contents.certificate, contents.inputs
    if inputs is None or found.output is None or stated.bound is None:
        if stated.inputs_checked or stated.predictions_proved or stated.predictions_equal:
            return ["certificate: claims predictions without inputs.npz"]
        return []
    if not np.isfinite(inputs).all() or not np.all(contents.construction.domain.contains(inputs)):
        return ["inputs.npz: some input lies outside the domain"]
    problems = []
    proved = agreement(found.output.graph, inputs, stated.bound).count
    equal = equal_predictions(contents.target, contents.construction, found, inputs)
    for name, said, derived in (
        ("inputs_checked", stated.inputs_checked, len(inputs)),
        ("predictions_proved", stated.predictions_proved, proved),
        ("predictions_equal", stated.predictions_equal, equal),
    ):
        if said != derived:
            problems.append(f"certificate: `{name}` says {said}, the files give {derived}")
    return problems


def _same_function(given: Network, stored: Network) -> bool:
    """Whether two networks are the same graph with the same arrays, whatever their nodes are called."""
    return _unnamed(given) == _unnamed(stored)


def _unnamed(network: Network) -> Network:
    """The network with its nodes named by their place."""
    structure, arrays = Network(network.order, network.output).to_spec()
    new = {node.name: str(place) for place, node in enumerate(network.order)}
    for record in structure["nodes"]:
        record["name"], record["parents"] = new[record["name"]], [new[name] for name in record["parents"]]
    return Network.from_spec({**structure, "output": new[network.output]}, arrays)
