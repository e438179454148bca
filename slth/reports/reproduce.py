"""The main job, end to end: tickets of the digits network, a verified bound, the density figure, one report."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from slth import __version__
from slth._typing import Progress
from slth.examples.digits import Digits, digits
from slth.experiments.rounding import lower, upper
from slth.experiments.verify import verify
from slth.reports.density import NEAR, density_figure, density_inline, table_text, with_tickets
from slth.reports.index_page import index_page
from slth.reports.outputs import REPORT_SCHEMA, SUMMARY, new_folder
from slth.reports.page import versions
from slth.reports.ticket_page import ticket_page
from slth.theory.frontier import GAMMAS, density_table
from slth.tickets.check import check
from slth.tickets.prune import prune
from slth.tickets.ticket import Ticket

EPS = 0.05
# finer than the published densities where the tickets are
DENSITIES = sorted({*GAMMAS, *(round(0.5 / 1.3**step, 4) for step in range(14))}, reverse=True)
# Arrangements and how else the tickets are built: the smallest source first, then as theory has it.
SHOWN: dict[str, dict[str, Any]] = {
    "lifted": {"search": "closest", "budget": "certificate", "window": 4},
    "sign-matched": {},
    "paper": {},
}
# Theorem 2 just inside its hypotheses, and the second moment where it is strong
VERIFICATIONS: tuple[dict[str, Any], ...] = (
    {"n": 20, "k": 5, "eps": 1e-4, "bound": "theorem-2", "trials": 20_000},
    {"n": 30, "k": 6, "eps": 2e-4, "bound": "second-moment", "trials": 20_000},
)


def reproduce(
    path: str | Path,
    *,
    seed: int = 1,
    overwrite: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Prune the digits network in three ways, check, verify, draw, and write one folder.

    Parameters
    ----------
    path : path
        Folder to write; appears when everything is done.
    seed : int
        Of the random networks and of the trials.
    overwrite : bool
        Replace an earlier report at `path` (and only a report).
    threads : int, optional
        Default: all cores; changes no number of the report.
    progress : callable, optional
        Called as progress(stage, done, total).

    Returns
    -------
    dict
        The content of summary.json; `exit_code` is 0 if all was verified, 1 if something was refuted, 3 if
        a verdict is open.

    Raises
    ------
    OutputExists
        If `path` stands and may not be replaced.
    WeightsUnreachable, TicketDamaged
        If a ticket could not be built or checked; nothing is written then.
    """
    tell = progress or (lambda _stage, _done, _total: None)
    began = time.perf_counter()
    with new_folder(Path(path), overwrite=overwrite) as folder:
        example = digits()
        seconds: dict[str, float] = {}
        tickets: dict[str, Ticket] = {}
        checks: dict[str, dict[str, Any]] = {}
        for arrangement in SHOWN:
            name = f"ticket-{arrangement}"
            tickets[name], seconds[f"prune {arrangement}"] = _prune(example, arrangement, seed, threads, tell)
            tickets[name].save(folder / name, page=ticket_page(tickets[name]))
            checks[name], seconds[f"check {arrangement}"] = _check(folder / name, example, tell)
        start = time.perf_counter()
        verifications = [
            verify(
                **claim, seed=seed, threads=threads, progress=_stage(tell, f"verify {claim['bound']}")
            ).summary()
            for claim in VERIFICATIONS
        ]
        seconds["verify"] = time.perf_counter() - start
        start = time.perf_counter()
        tell("figure", 0, 1)
        reference = tickets["ticket-sign-matched"]
        curves = density_table(reference.target_parameters, EPS, gammas=DENSITIES)
        table = with_tickets(curves, _labelled(tickets))
        for kind in ("svg", "png"):
            (folder / f"density.{kind}").write_bytes(density_figure(table, kind=kind))
            (folder / f"density-near.{kind}").write_bytes(density_figure(table, kind=kind, window=NEAR))
        for kind in (".csv", ".json"):
            (folder / f"density{kind}").write_text(table_text(table, kind=kind), encoding="utf-8", newline="\n")
        pictures = (density_inline(table, name="density"), density_inline(table, name="near", window=NEAR))
        seconds["figure"] = time.perf_counter() - start
        tell("figure", 1, 1)
        seconds["all"] = time.perf_counter() - began
        summary = _summary(tickets, checks, verifications, seconds, seed)
        _write_json(
            folder / "verification.json", {"schema": "slth/verifications/1", "verifications": verifications}
        )
        _write_json(folder / SUMMARY, summary)
        (folder / "index.html").write_text(
            index_page(summary, pictures, _target_facts(example)),
            encoding="utf-8",
            newline="\n",
        )
    return summary


def _prune(
    example: Digits, arrangement: str, seed: int, threads: int | None, tell: Progress
) -> tuple[Ticket, float]:
    start = time.perf_counter()

    def show(layer: str, done: int, total: int) -> None:
        tell(f"prune {arrangement}, {layer}", done, total)

    ticket = prune(
        example.network,
        domain=example.domain,
        eps=EPS,
        arrangement=arrangement,
        **SHOWN[arrangement],
        seed=seed,
        inputs=example.inputs,
        threads=threads,
        progress=show,
    )
    return ticket, time.perf_counter() - start


def _check(folder: Path, example: Digits, tell: Progress) -> tuple[dict[str, Any], float]:
    start = time.perf_counter()
    tell(f"check {folder.name}", 0, 1)
    report = check(folder, example.network).summary()
    tell(f"check {folder.name}", 1, 1)
    return {**report, "path": folder.name}, time.perf_counter() - start


def _labelled(tickets: dict[str, Ticket]) -> dict[str, Ticket]:
    return {f"measured: digits, {ticket.construction.arrangement}": ticket for ticket in tickets.values()}


def _stage(tell: Progress, name: str) -> Progress:
    return lambda _stage, done, total: tell(name, done, total)


def _summary(
    tickets: dict[str, Ticket],
    checks: dict[str, dict[str, Any]],
    verifications: list[dict[str, Any]],
    seconds: dict[str, float],
    seed: int,
) -> dict[str, Any]:
    verdicts = [record["verdict"] for record in (*checks.values(), *verifications)]
    summaries = {name: ticket.summary() for name, ticket in tickets.items()}
    return {
        "schema": REPORT_SCHEMA,
        "slth": __version__,
        "seed": seed,
        "eps": EPS,
        "tickets": {name: {**summaries[name], "check": checks[name]} for name in tickets},
        "verifications": verifications,
        "headline": _headline(summaries, verifications),
        "seconds": {stage: round(spent, 2) for stage, spent in seconds.items()},
        "cores": os.cpu_count(),
        "versions": dict(versions()),
        "exit_code": 1 if "refuted" in verdicts else 3 if "undecided" in verdicts else 0,
    }


def _headline(summaries: dict[str, dict[str, Any]], verifications: list[dict[str, Any]]) -> dict[str, str]:
    lines = {}
    for name, own in summaries.items():
        certificate = own["certificate"]
        lines[name] = (
            f"certified error {upper(certificate['bound'])} <= {own['eps']:g}, density {own['density']:.4g} "
            f"(sparsity {own['sparsity']:.4g}), m/m_t {own['overparameterization']:.4g}, "
            f"{certificate['predictions_proved']}/{certificate['inputs_checked']} predictions proved equal"
        )
    for own in verifications:
        claim = own["claim"]
        lines[claim["name"]] = (
            f"{own['verdict']}: {own['hits']}/{own['trials']} {own['estimate']:.4g} [{own['low']:.4g}, "
            f"{own['high']:.4g}] "
            f"{100 * own['confidence']:g} % exact, claimed >= {lower(claim['probability'])}"
        )
    return lines


def _target_facts(example: Digits) -> dict[str, Any]:
    chain = example.network.dense_chain()
    right = int((example.network.forward(example.inputs).argmax(axis=1) == example.labels).sum())
    return {
        "widths": [chain[0].weight.shape[1], *(layer.weight.shape[0] for layer in chain)],
        "parameters": example.network.parameters,
        "digits": len(example.labels),
        "right": right,
    }


def _write_json(path: Path, record: Any) -> None:
    path.write_text(json.dumps(record, indent=1, allow_nan=False) + "\n", encoding="utf-8", newline="\n")
