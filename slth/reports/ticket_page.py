"""The page of one ticket: what is certified, the numbers, the errors, and how to check all of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from slth.experiments.rounding import lower, upper
from slth.networks.domain import Domain
from slth.plots.errors import ErrorHistogram, draw_errors
from slth.plots.look import SMALL
from slth.reports.figures import inline_svg
from slth.reports.page import (
    bullets,
    escape,
    facts,
    figure,
    number,
    page,
    paragraph,
    raised,
    section,
    table,
    tiles,
    versions,
)
from slth.tickets.certificate import entry_errors
from slth.tickets.scaling import scaled_slots
from slth.tickets.ticket import Ticket

BINS = 40


def ticket_page(ticket: Ticket) -> str:
    """A self-contained HTML page about `ticket`.

    Parameters
    ----------
    ticket : Ticket

    Returns
    -------
    str
        One document: no script, and nothing loaded from elsewhere. The same ticket gives the same page
        under the same versions of the libraries.
    """
    summary = ticket.summary()
    certificate = summary["certificate"]
    place = domain_text(ticket.construction.domain)
    body = "\n".join(
        [
            "<h1>A strong lottery ticket</h1>",
            paragraph(
                "A subnetwork of a random network that was drawn before the target was seen and never changed, "
                "approximating the target on all of its domain.",
                "lead",
            ),
            verdict(summary, place),
            tiles(headline(summary)),
            section("What exactly is certified", bullets([*certified(summary, place), *measured(ticket)])),
            section("Size", facts(size(summary))),
            section("Layers", layer_table(summary), paragraph(LAYER_NOTE, "quiet")),
            section("Errors of the weights", error_figure(ticket)),
            section("Check it", *recheck(certificate)),
            section("Made with", facts(made_with(summary))),
        ]
    )
    return page("Strong lottery ticket", body)


LAYER_NOTE = (
    "Copies are hidden neurons per input, or per output where they gather inputs or are lifted; live is the "
    "number of them that can serve a half of a weight (least and most); k edges are kept per weight and half. "
    "Errors and tolerances are in scaled units: a layer's weights were divided by 2^scale. The contribution is "
    "in the target's units."
)


def verdict(summary: dict[str, Any], place: str) -> str:
    """The claim in one sentence."""
    bound, eps = summary["certificate"]["bound"], summary["eps"]
    kind = "good" if bound <= eps else "bad"
    return (
        f'<p class="verdict {kind}"><strong>Certified:</strong> for every x in {escape(place)}, '
        f"\u2016ticket(x) \u2212 target(x)\u2016\u2082 \u2264 <strong>{escape(upper(bound))}</strong> "
        f"(asked for: \u03b5 = {escape(number(eps))}).</p>"
    )


def headline(summary: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The tiles."""
    certificate = summary["certificate"]
    items = [
        (
            "Certified error",
            upper(certificate["bound"]),
            f"sup over the domain, l2; budget {upper(certificate['budget'])}",
        ),
        (
            "Worst error found",
            lower(certificate["lower_estimate"]),
            "by gradient search and data; a lower bound",
        ),
        (
            "Density",
            number(summary["density"]),
            f"sparsity {number(summary['sparsity'])}; {number(summary['kept'])} kept",
        ),
        (
            "Overparameterisation",
            number(summary["overparameterization"]),
            f"m/m_t = {number(summary['m'])} / {number(summary['m_t'])}",
        ),
    ]
    checked = certificate["inputs_checked"]
    if checked:
        items.append(
            (
                "Predictions proved equal",
                number(certificate["predictions_proved"]),
                f"of {number(checked)} inputs; measured equal: {number(certificate['predictions_equal'])}",
            )
        )
    return items


def certified(summary: dict[str, Any], place: str) -> list[str]:
    """What the certificate says and what it does not."""
    certificate = summary["certificate"]
    lines = [
        f"Domain: {place}. Nothing is said of inputs outside it.",
        "Norm: Euclidean (l2) norm of the difference of the outputs, in the target's own units, the largest "
        "over the "
        "domain. The proof covers real arithmetic on the exact weights; rounding inside the proof is accounted "
        "for.",
        f"A-posteriori bound, from the actual errors of the weights: {upper(certificate['a_posteriori'])}. "
        "Budget, from "
        f"the tolerances alone: {upper(certificate['budget'])}. The claim is the smaller.",
        f"The worst input found has error {lower(certificate['lower_estimate'])}: the true supremum lies "
        "between that "
        "and the certified error.",
    ]
    if any(layer["lifts"] for layer in summary["layers"]):
        lines.append(
            "Lifted hidden neurons stay above zero for every input of the domain, proved with the bound: "
            "random constants raise them. In float32, where these constants cancel, about four digits of the "
            "outputs are left."
        )
    if certificate["inputs_checked"]:
        lines.append(
            f"On {number(certificate['predictions_proved'])} of the {number(certificate['inputs_checked'])} "
            "inputs given, "
            "the target's margin exceeds \u221a2 times the bound, which proves that both networks predict the "
            "same class."
        )
    return lines


def measured(ticket: Ticket) -> list[str]:
    """What is not certified but measured: the symmetry that the target declares."""
    kept = ticket.equivariance
    return [] if kept is None else [f"Equivariance, not part of the certificate: {kept}."]


def size(summary: dict[str, Any]) -> list[tuple[str, Any]]:
    """Counts, with what is counted."""
    return [
        (
            "source parameters m",
            f"{number(summary['m'])} (both random layers of every target layer, constant input included)",
        ),
        ("target parameters m_t", f"{number(summary['m_t'])} (weights and biases)"),
        ("overparameterisation m/m_t", summary["overparameterization"]),
        ("parameters kept", summary["kept"]),
        ("density (sparsity)", f"{number(summary['density'])} ({number(summary['sparsity'])})"),
        (
            "density by the paper's count",
            f"{number(summary['paper_density'])} (a first-layer edge counted once per second-layer edge it "
            "feeds)",
        ),
        (
            "dead edges",
            f"{number(summary['dead_edges'])} (chosen, but behind a first weight of the wrong sign; not kept)",
        ),
    ]


def layer_table(summary: dict[str, Any]) -> str:
    """One row per target layer."""
    columns = (
        "layer",
        "inputs \u2192 outputs",
        "copies",
        "live",
        "k",
        "scale",
        "tolerance",
        "largest error",
        "rms error",
        "kept, first + second",
        "contribution",
    )
    contributions = summary["certificate"]["contributions"]
    rows = [
        (
            f"{layer['name']}, {layer['arrangement']}",
            f"{layer['inputs']} \u2192 {layer['outputs']}",
            layer["copies"],
            f"{layer['live_min']}\u2013{layer['live_max']}",
            _sizes(layer),
            _scale(layer),
            layer["tolerance"],
            upper(layer["largest_error"]),
            layer["rms_error"],
            f"{number(layer['kept_first'])} + {number(layer['kept_second'])}",
            upper(contribution),
        )
        for layer, contribution in zip(summary["layers"], contributions, strict=True)
    ]
    return table(columns, rows)


def _sizes(layer: dict[str, Any]) -> str:
    """Subset sizes allowed."""
    most, window = layer["k"], layer["window"]
    return f"{max(0, most - window)}\u2013{most}" if window else str(most)


def _scale(layer: dict[str, Any]) -> str:
    """Powers of two behind the weights of a layer, and behind its biases where they are others."""
    weight, bias = (f"2{raised(layer[name])}" for name in ("scale_exponent", "bias_exponent"))
    return weight if weight == bias else f"{weight}, biases {bias}"


def error_histograms(ticket: Ticket) -> list[ErrorHistogram]:
    """Share of each layer's weights by |error| / tolerance, both halves together."""
    weights = scaled_slots(ticket.target, ticket.construction.scales)
    found = []
    for index, (layer, weight) in enumerate(zip(ticket.layers, weights, strict=True)):
        own = ticket.assembled(index)
        errors = entry_errors(weight, own.positive, own.negative if layer.signed else None, layer.biased)
        ratios = (errors / layer.tolerance).ravel()
        top = max(1.0, float(ratios.max(initial=0.0)))
        counts, edges = np.histogram(ratios, bins=BINS, range=(0.0, top))
        found.append(ErrorHistogram(layer.name, edges, counts / max(1, ratios.size), int(ratios.size)))
    return found


def error_figure(ticket: Ticket) -> str:
    """The histograms as an inline picture."""
    histograms = error_histograms(ticket)
    svg = inline_svg(
        lambda ax: draw_errors(histograms, ax),
        size=SMALL,
        name="errors",
        label="Histogram of weight errors per layer",
    )
    return figure(
        svg, "Errors of single weights relative to their layer's tolerance (dashed), both halves together."
    )


def recheck(certificate: dict[str, Any]) -> list[str]:
    """How to check the folder this page lies in."""
    del certificate
    return [
        "<p>In the folder that holds this page:</p>",
        "<pre>slth check .</pre>",
        paragraph(
            "It compares every file with the manifest, draws the random network again from its seed, sums the "
            "kept "
            "products exactly, derives both bounds, the worst input's error and the predictions anew, and "
            "compares them "
            "with what is claimed. It uses none of the code that arranged, pruned or solved."
        ),
        paragraph(
            "The random network is numpy's Philox: weight o of (layer l, sublayer s, owner j, copy c) is word "
            "o of "
            "Philox(key=seed, counter=[0, c, j, 2 l + s]); of the uniform law, its value is "
            "(word >> 40) * 2^-23 - 1, in [-1, 1).",
            "quiet",
        ),
    ]


def made_with(summary: dict[str, Any]) -> list[tuple[str, Any]]:
    """Everything needed to make the ticket again."""
    k = ", ".join(str(layer["k"]) for layer in summary["layers"])
    copies = ", ".join(str(layer["copies"]) for layer in summary["layers"])
    return [
        ("seed", str(summary["seed"])),
        ("law of the source", summary["law"]),
        ("arrangement", summary["arrangement"]),
        ("search", summary["search"]),
        ("window of sizes", str(summary["layers"][0]["window"])),
        ("division of eps", summary["budget_counting"]),
        ("k per layer", k),
        ("copies per layer", copies),
        ("eps", repr(summary["eps"])),
        ("versions", ", ".join(f"{name} {version}" for name, version in versions())),
    ]


def domain_text(domain: Domain) -> str:
    """A domain in words."""
    low, high = np.unique(domain.low), np.unique(domain.high)
    if domain.kind == "ball":
        centre = "0" if not np.any(domain.center) else "its centre"
        return f"the l2 ball of radius {number(float(domain.radius))} around {centre} in R{raised(domain.size)}"
    if low.size == 1 and high.size == 1:
        return f"the box [{low[0]:g}, {high[0]:g}]{raised(domain.size)}"
    return f"a box of {domain.size} intervals within [{low[0]:g}, {high[-1]:g}]"
