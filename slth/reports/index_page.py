"""The front page of a report: what was built, what was verified, where the data lie."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from slth.experiments.rounding import lower, upper
from slth.plots.trials import draw_verification
from slth.reports.figures import inline_svg
from slth.reports.page import escape, figure, number, page, paragraph, section, table, tiles

BEST = "ticket-lifted"
NAMES = {BEST: "lifted", "ticket-sign-matched": "sign-matched", "ticket-paper": "paper-arranged"}


def index_page(summary: Mapping[str, Any], pictures: tuple[str, str], target: Mapping[str, Any]) -> str:
    """The front page.

    Parameters
    ----------
    summary : mapping
        The content of summary.json.
    pictures : (str, str)
        The density figure and its part around the tickets, as <svg> elements.
    target : mapping
        widths, parameters, digits, right (correctly classified) of the target network.

    Returns
    -------
    str
        A self-contained HTML document with links to the ticket folders and data files beside it.
    """
    best = summary["tickets"][BEST]
    widths = " \u2013 ".join(map(str, target["widths"]))
    body = "\n".join(
        [
            "<h1>A classifier found inside a random network</h1>",
            paragraph(
                f"A trained network for handwritten digits ({widths} neurons, "
                f"{number(target['parameters'])} parameters, right on {number(target['right'])} of "
                f"{number(target['digits'])} "
                "images) is recovered by deleting weights of a random network that was drawn first and never "
                "changed.",
                "lead",
            ),
            verdict(summary, best),
            tiles(headline(best)),
            section("Tickets", ticket_table(summary), paragraph(TICKET_NOTE, "quiet"), links(summary)),
            section(
                "Density against overparameterisation",
                figure(pictures[1], NEAR_CAPTION),
                figure(pictures[0], WHOLE_CAPTION),
            ),
            section("Random subset sum bounds", *verification_parts(summary)),
            section("Data and repetition", data_links(), repetition(summary)),
        ]
    )
    return page("slth: a classifier found inside a random network", body)


TICKET_NOTE = (
    "Certified error: largest l2 difference of the outputs over the whole box, proved. Density is kept / "
    "total, m counts "
    "every weight of both random layers of each target layer. The paper's count counts a first-layer edge once "
    "for each "
    "second-layer edge that it feeds, an upper bound of the density."
)
NEAR_CAPTION = (
    "Where the tickets are. A curve says how many random parameters per target parameter (m/m_t) a result asks "
    "for, or "
    "a prediction expects, at a given density. Measured tickets stand at kept / total; a thin line leads to "
    "the paper's "
    "count, which the curves use."
)
WHOLE_CAPTION = (
    "The same over all densities. c_amp is the constant that Theorem 3 leaves open: 1, what its proof "
    "supplies, or the "
    "least that keeps it above the prediction."
)


def verdict(summary: Mapping[str, Any], best: Mapping[str, Any]) -> str:
    """One sentence on how it all ended."""
    certificate = best["certificate"]
    good = summary["exit_code"] == 0
    claims = len(summary["verifications"])
    ending = (
        f"{claims} subset sum bounds verified by exact trials."
        if good
        else "not every claim was verified, see below."
    )
    return (
        '<p class="verdict '
        f'{"good" if good else "bad"}"><strong>{"Verified." if good else "Attention:"}</strong> '
        "On every input in [0, 1]<sup>64</sup> the ticket's output is within "
        f"{escape(upper(certificate['bound']))} of the "
        f"target's; {escape(number(certificate['predictions_proved']))} of "
        f"{escape(number(certificate['inputs_checked']))} "
        f"predictions are proved equal; {escape(ending)}</p>"
    )


def headline(best: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The tiles, for the ticket of the smallest source."""
    certificate = best["certificate"]
    asked = f"asked for {number(best['eps'])}; worst found {lower(certificate['lower_estimate'])}"
    counted = f"{number(best['m'])} random, {number(best['m_t'])} target parameters"
    proved = number(certificate["predictions_proved"])
    measured = number(certificate["predictions_equal"])
    equal = f"of {number(certificate['inputs_checked'])}; measured equal: {measured}"
    return [
        ("Certified error", upper(certificate["bound"]), asked),
        ("Density", number(best["density"]), f"sparsity {number(best['sparsity'])}"),
        ("Overparameterisation", number(best["overparameterization"]), counted),
        ("Predictions proved equal", proved, equal),
    ]


def ticket_table(summary: Mapping[str, Any]) -> str:
    """The tickets side by side, one column each."""
    tickets, seconds = summary["tickets"], summary["seconds"]

    def row(label: str, value: Callable[[Mapping[str, Any]], Any]) -> tuple[str, ...]:
        return (label, *(number(value(own)) for own in tickets.values()))

    def proved(own: Mapping[str, Any]) -> str:
        found = own["certificate"]
        return f"{number(found['predictions_proved'])} of {number(found['inputs_checked'])}"

    rows = [
        row("certified error (sup over the box, l2)", lambda own: upper(own["certificate"]["bound"])),
        row("error allowed by the tolerances alone", lambda own: upper(own["certificate"]["budget"])),
        row("worst error found by search", lambda own: lower(own["certificate"]["lower_estimate"])),
        row("predictions proved equal", proved),
        row("random parameters m", lambda own: own["m"]),
        row("overparameterisation m/m_t", lambda own: own["overparameterization"]),
        row("parameters kept", lambda own: own["kept"]),
        row("density", lambda own: own["density"]),
        row("sparsity", lambda own: own["sparsity"]),
        row("density by the paper's count", lambda own: own["paper_density"]),
        row("chosen edges that are dead, not kept", lambda own: own["dead_edges"]),
        row("edges per weight k, by layer", lambda own: ", ".join(str(layer["k"]) for layer in own["layers"])),
        row(
            "copies per owner, by layer", lambda own: ", ".join(str(layer["copies"]) for layer in own["layers"])
        ),
        row("seconds to prune", lambda own: seconds[f"prune {own['arrangement']}"]),
        row("seconds to check", lambda own: seconds[f"check {own['arrangement']}"]),
    ]
    return table(("", *(NAMES.get(name, name) for name in tickets)), rows)


def links(summary: Mapping[str, Any]) -> str:
    """A line per ticket: its page and how to check it."""
    lines = "".join(
        f'<li><a href="{escape(name)}/report.html">page of the {escape(NAMES.get(name, name))} ticket</a>, '
        f'files in <a href="{escape(name)}/">{escape(name)}/</a>, checked again by <code>slth check '
        f"{escape(name)}</code></li>"
        for name in summary["tickets"]
    )
    return f"<ul>{lines}</ul>"


def verification_parts(summary: Mapping[str, Any]) -> list[str]:
    """A picture and a sentence per verified bound."""
    parts = []
    for index, own in enumerate(summary["verifications"]):
        claim = own["claim"]
        svg = inline_svg(
            partial(draw_verification, own),
            size=(6.6, 1.6),
            name=f"trials{index}",
            label=f"Hits of {own['trials']} trials against the claim of {claim['title']}",
        )
        caption = (
            f"{claim['title']}, n = {own['n']}, k = {own['k']}, eps = {own['eps']:g}, {own['law']} law, target "
            f"{own['target'] if isinstance(own['target'], str) else number(own['target'])}: {own['verdict']}. "
            f"{own['reason']} "
            "Each trial is decided exactly; the verdict is wrong with probability at most "
            f"{number(own['false_alarm'])}."
        )
        parts.append(figure(svg, caption))
    return parts


def data_links() -> str:
    """Where the numbers behind the pictures are."""
    files = (
        ("density.csv", "the density figure as a table"),
        ("density.json", "the same with its parameters"),
        ("density.svg", "the figure alone, also as density.png"),
        ("density-near.svg", "its part around the tickets, also as density-near.png"),
        ("verification.json", "the trials"),
        ("summary.json", "every number of this page"),
    )
    items = "".join(f'<li><a href="{name}">{name}</a>: {escape(what)}</li>' for name, what in files)
    return f"<ul>{items}</ul>"


def repetition(summary: Mapping[str, Any]) -> str:
    """What it takes to get the same numbers again."""
    found = ", ".join(f"{name} {version}" for name, version in summary["versions"].items())
    return f"<pre>slth reproduce --seed {escape(summary['seed'])}</pre>" + paragraph(
        f"Made in {summary['seconds']['all']:.0f} s on {summary['cores']} cores with {found}. The tickets, the "
        "trials and "
        "the figure do not depend on the number of threads.",
        "quiet",
    )
