"""Export of trained tickets in the files of open_lth, so that its tools can take them up.

open_lth (Facebook Research, 2020) keeps a level's mask in `mask.pth`, a dictionary from parameter names to
int32 tensors of zeros and ones; its counts in `sparsity_report.json`; and states of the model in
`model_epE_itI.pth`. Dense networks get the names of its LeNets (`mnist_lenet_300_100`: fc_layers.0.weight, ...,
fc.weight).
"""

from __future__ import annotations

import json
from pathlib import Path

from slth.baselines.architecture import Architecture
from slth.baselines.extra import load_torch
from slth.baselines.trained_ticket import TrainedTicket
from slth.tickets.storage import new_folder


def layer_names(net: Architecture) -> list[str]:
    """Names of the layers: conv_layers.i, fc_layers.i and, last, fc."""
    convolutions = sum(len(shape) == 4 for shape in net.shapes)
    hidden = len(net.shapes) - convolutions - 1
    return [
        *(f"conv_layers.{i}" for i in range(convolutions)),
        *(f"fc_layers.{i}" for i in range(hidden)),
        "fc",
    ]


def export_open_lth(ticket: TrainedTicket, path: str | Path) -> None:
    """Write `mask.pth`, `sparsity_report.json`, `model_ep0_it0.pth` and, if trained, `model_ep1_it0.pth`.

    The state at epoch 0 is what training began from (the frozen weights, where nothing was trained), the one
    at epoch 1 what it ended with: epochs are labels here, not counts.

    Parameters
    ----------
    ticket : TrainedTicket
    path : path
        Folder to write; must not exist.

    Raises
    ------
    OutputExists
        If `path` exists.
    MissingExtra
        If torch is not installed.
    """
    torch = load_torch()
    names = layer_names(ticket.net)
    biases = {f"{name}.bias": torch.tensor(b) for name, b in zip(names, ticket.biases, strict=True)}
    last = {f"{name}.weight": torch.tensor(w) for name, w in zip(names, ticket.weights, strict=True)}
    masks = {f"{name}.weight": torch.tensor(m).int() for name, m in zip(names, ticket.masks, strict=True)}
    with new_folder(Path(path)) as folder:
        torch.save(masks, folder / "mask.pth")
        report = {"total": float(ticket.net.weights), "unpruned": float(ticket.kept)}
        (folder / "sparsity_report.json").write_text(json.dumps(report, indent=4), encoding="utf-8")
        if ticket.initial is None:
            torch.save(last | biases, folder / "model_ep0_it0.pth")
        else:
            first = {f"{name}.weight": torch.tensor(w) for name, w in zip(names, ticket.initial, strict=True)}
            begun = {name: torch.zeros_like(value) for name, value in biases.items()}
            torch.save(first | begun, folder / "model_ep0_it0.pth")
            torch.save(last | biases, folder / "model_ep1_it0.pth")
