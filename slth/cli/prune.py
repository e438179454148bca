"""`slth prune`: a target network in, a certified ticket of a random network out."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from slth.cli.inputs import EXAMPLES, READING, Reading, choose_seed, parse_domain, read_target
from slth.cli.output import (
    COMMON,
    OUT,
    Common,
    density_text,
    error_console,
    print_json,
    print_pairs,
    print_table,
    progress_bar,
    say,
)
from slth.errors import BoundMissed, WeightsUnreachable
from slth.experiments.rounding import lower, upper

if TYPE_CHECKING:
    from slth.tickets.ticket import Ticket

SHOWN_FAILURES = 20


def command(
    target: str,
    /,
    *,
    out: Annotated[Path, OUT],
    eps: float,
    domain: str = "box:0:1",
    density: float = 0.35,
    k: Annotated[
        list[int] | None, Parameter(name=["--k", "-k"], consume_multiple=True, negative_iterable="")
    ] = None,
    copies: Annotated[list[int] | None, Parameter(consume_multiple=True, negative_iterable="")] = None,
    arrangement: Literal["auto", "sign-matched", "paper", "assigned", "blocks", "gathered", "lifted"] = "auto",
    search: Literal["within", "closest", "feedback"] = "within",
    window: int = 0,
    budget: Literal["frobenius", "theorem", "certificate"] = "frobenius",
    seed: int | None = None,
    law: Literal["uniform", "normal"] = "uniform",
    inputs: Path | None = None,
    reading: Reading = READING,
    threads: int | None = None,
    common: Common = COMMON,
) -> int:
    """Find a subnetwork of a random network that is within eps of a target on a whole domain of inputs.

    Writes a folder with the masks, the source, the certificate and a page. Exit code 1: some weight cannot
    be reached on this source, and the table says which, or the certificate proves less than eps; nothing is
    written. Interrupted, it keeps finished layers in OUT.layers, and the same command with the same seed goes
    on from there.

    Example: slth prune digits --out ticket --eps 0.05 --seed 1

    Parameters
    ----------
    target
        An .onnx, .npz or .safetensors file, or one of the examples that are shipped: digits, digits-cnn,
        digits-residual, digits-d4, digits-784. An .npz file of weight_1, bias_1, weight_2, ... needs no
        architecture.
    out
        Folder to write; must not exist.
    eps
        Largest l2 error of the output over the domain.
    domain
        box:LOW:HIGH, ball:RADIUS, or a .json file: the inputs for which the error is certified.
    density
        k / n aimed at in each subset sum, where k is not given.
    k
        Kept edges per weight, one value or one per layer. Default: from the density.
    copies
        Random neurons per owner (an input or an output), one value or one per layer. Default: as few as are
        predicted to do.
    arrangement
        Which random neurons may serve which weight: in their own order (sign-matched, paper); the input or
        output that their own weights suit (assigned, blocks: one of each block, gathered); the output, raised
        above zero by random constants (lifted). auto: per layer the smallest.
    search
        Any subset within the tolerance; the closest (slower; a smaller error or, with the budget of the
        certificate, which then decides alone, a smaller source); or with feedback, which makes later weights
        cancel on the inputs what earlier ones left.
    window
        Allow subsets of k - window to k edges instead of exactly k.
    budget
        How eps is divided among weights: by counting entries, or as the certificate itself allows.
    seed
        Of the random network. Default: drawn and printed.
    law
        Of its weights: uniform on [-1, 1], or standard normal.
    inputs
        .npz or .npy file of inputs (N, d) on which to prove equal predictions. Default for digits: its images.
    reading
        How the target is read.
    threads
        Default: all cores; changes no result.
    """
    from slth.examples.digits import digits
    from slth.readers.arrays import read_inputs
    from slth.reports.outputs import refuse_existing
    from slth.reports.ticket_page import ticket_page
    from slth.tickets.prune import prune

    refuse_existing(out)
    network = read_target(target, reading)
    region = parse_domain(domain, network.input_size)
    data: Any = digits(EXAMPLES[target]).inputs if target in EXAMPLES else None
    if inputs is not None:
        data = read_inputs(inputs)
    chosen, drawn = choose_seed(seed)
    layers = out.with_name(f"{out.name}.layers")
    try:
        with progress_bar() as progress:
            ticket = prune(
                network,
                domain=region,
                eps=eps,
                k=_one_or_all(k),
                copies=_one_or_all(copies),
                subset_density=density,
                arrangement=arrangement,
                search=search,
                window=window,
                budget=budget,
                seed=chosen,
                law=law,
                inputs=data,
                resume=layers,
                threads=threads,
                progress=progress,
            )
    except KeyboardInterrupt:
        if layers.is_dir():
            error_console().print(
                f"finished layers are kept in {layers}; the same command with --seed {chosen} goes on"
            )
        raise
    except (WeightsUnreachable, BoundMissed) as error:
        shutil.rmtree(layers, ignore_errors=True)
        if isinstance(error, WeightsUnreachable) and not common.json:
            _show_failures(error, chosen)
        raise
    ticket.save(out, page=ticket_page(ticket))
    shutil.rmtree(layers, ignore_errors=True)
    summary = ticket.summary()
    if common.json:
        print_json("prune", {"path": str(out), "seed_drawn": drawn, **summary})
        return 0
    _show(ticket, summary, out, drawn)
    return 0


def _one_or_all(values: list[int] | None) -> int | Sequence[int] | None:
    if not values:
        return None
    return values[0] if len(values) == 1 else values


def _show(ticket: Ticket, summary: dict[str, Any], out: Path, drawn: bool) -> None:
    from slth.reports.ticket_page import domain_text

    certificate = summary["certificate"]
    pairs: list[tuple[str, Any]] = [
        (
            "certified error",
            f"{upper(certificate['bound'], 6)} <= eps = {summary['eps']:g} (l2, sup over the domain)",
        ),
        ("domain", domain_text(ticket.construction.domain)),
        ("budget", f"{upper(certificate['budget'], 6)} (from the tolerances alone)"),
        ("worst error found", lower(certificate["lower_estimate"], 6)),
        ("kept", f"{ticket.kept} of {ticket.parameters}: {density_text(ticket.density)}"),
        ("paper's count", density_text(ticket.paper_density)),
        (
            "overparameterisation",
            f"m/m_t = {ticket.parameters}/{ticket.target_parameters} = {ticket.overparameterization:.6g}",
        ),
    ]
    if certificate["inputs_checked"]:
        pairs.append(
            (
                "predictions",
                f"{certificate['predictions_proved']}/{certificate['inputs_checked']} proved equal, "
                f"{certificate['predictions_equal']} measured equal",
            )
        )
        pairs.append(("error on the inputs", f"{summary['data_error']:.6g} (root mean square, measured)"))
    if ticket.equivariance is not None:
        pairs.append(("equivariance", ticket.equivariance))
    pairs.append(("seed", f"{summary['seed']}{' (drawn now; give it to repeat this run)' if drawn else ''}"))
    pairs.append(("written", f"{out} (page: {out / 'report.html'}; check it: slth check {out})"))
    print_pairs(pairs)
    print_table(
        ("layer", "inputs", "outputs", "copies", "live", "k", "tolerance", "largest error", "kept"),
        [
            (
                layer["name"],
                layer["inputs"],
                layer["outputs"],
                layer["copies"],
                f"{layer['live_min']}-{layer['live_max']}",
                layer["k"],
                layer["tolerance"],
                layer["largest_error"],
                layer["kept_first"] + layer["kept_second"],
            )
            for layer in summary["layers"]
        ],
    )


def _show_failures(error: WeightsUnreachable, seed: int) -> None:
    shown = error.failures[:SHOWN_FAILURES]
    print_table(
        ("layer", "output", "input", "half", "best error", "tolerance"),
        [(f.layer, f.output, f.input, f.half, f.error, f.tolerance) for f in shown],
        title=f"{len(error.failures)} weight(s) without a subset within tolerance (scaled units)",
    )
    if len(error.failures) > len(shown):
        say(f"... and {len(error.failures) - len(shown)} more; --json lists all.")
    say(f"seed {seed}; nothing was written.")
