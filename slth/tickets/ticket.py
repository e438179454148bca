"""`Ticket`: a source and the edges of it that are kept, with the record of its making and its certificate."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from slth._typing import BoolArray, FloatArray
from slth.errors import InvalidInput
from slth.networks.network import Network
from slth.networks.slots import linear_nodes, to_slots
from slth.networks.source import Source
from slth.tickets.effective import effective_network
from slth.tickets.layer import Assembled, TicketLayer, assemble
from slth.tickets.record import Certificate, Construction

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from slth.tickets.equivariance import Report


@dataclass(frozen=True)
class Ticket:
    """A subnetwork of a frozen random source that approximates `target`, and the proof of it.

    Made by `slth.prune` or read by `Ticket.load`; never changed. Masks are derived from the packed edges
    on demand.
    """

    source: Source
    target: Network
    construction: Construction
    certificate: Certificate
    inputs: FloatArray | None = None

    @property
    def layers(self) -> tuple[TicketLayer, ...]:
        """The kept edges, one record per target layer."""
        return self.construction.layers

    @property
    def parameters(self) -> int:
        """m: parameters of the source, auxiliary layers and edges from the constant input included."""
        return self.source.parameters

    @property
    def target_parameters(self) -> int:
        """m_t: weights and biases of the target."""
        return self.target.parameters

    @property
    def overparameterization(self) -> float:
        """m / m_t."""
        return self.parameters / self.target_parameters

    @property
    def kept(self) -> int:
        """Edges kept in both sub-layers of all layers."""
        return sum(layer.kept_first + layer.kept_second for layer in self.layers)

    @property
    def density(self) -> float:
        """gamma: kept / total."""
        return self.kept / self.parameters

    @property
    def sparsity(self) -> float:
        """1 - density."""
        return 1.0 - self.density

    @property
    def paper_density(self) -> float:
        """The paper's count, with multiplicity: two edges per member of a subset, an upper bound of
        `density`."""
        return 2 * sum(layer.serving for layer in self.layers) / self.parameters

    @property
    def dead_edges(self) -> int:
        """Chosen edges that carry nothing (wrong-sign first weight), pruned; only in the paper's way."""
        dead = 0
        for layer, node in zip(self.layers, linear_nodes(self.target), strict=True):
            if layer.arrangement == "paper":
                weight = to_slots(node)
                halves = np.full(weight.shape, 2 if layer.signed else 1)
                if layer.biased:
                    halves[:, -1] = 1
                dead += layer.k * int(halves[weight != 0.0].sum()) - layer.serving
        return dead

    @cached_property
    def equivariance(self) -> Report | None:
        """How far target, source and ticket keep the symmetry that the target declares; None without one."""
        from slth.tickets.equivariance import equivariance

        return equivariance(self)

    def assembled(self, index: int) -> Assembled:
        """What the kept edges of layer `index` compute, regenerated from the source."""
        return assemble(self.source, index, self.layers[index])

    def network(self) -> Network:
        """The function that the ticket computes, as a network in the target's own units, exact.

        It is the target's graph with other coefficients. A node whose inputs may be negative becomes the sum
        of two, one on max(x, 0) and one on max(-x, 0).
        """
        return effective_network(
            self.target, self.construction, list(map(self.assembled, range(len(self.layers))))
        )

    def data_error(self, inputs: FloatArray) -> float:
        """Root mean square over rows of `inputs` (N, d) of ||ticket(x) - target(x)||_2, in floats: measured,
        not proved."""
        difference = self.network().forward(inputs) - self.target.forward(inputs)
        return float(np.sqrt(np.square(difference).sum(axis=1).mean()))

    @property
    def mask_names(self) -> tuple[str, ...]:
        """Names that `mask` accepts."""
        return tuple(f"{layer.name}.{part}" for layer in self.layers for part in ("first", "second"))

    def mask(self, name: str) -> BoolArray:
        """Pruning mask of one sub-layer, True = kept.

        name : "<layer>.first", shape (H, D), or "<layer>.second", shape (d', H); of the H hidden neurons of the
        layer, copy c of owner j is number j * N + c in the source's order; rows of the second are those of
        `slth.networks.slots`. Where neurons are lifted, the constants are the last columns of the first.
        Raises InvalidInput for another name.
        """
        layer, part = self._find(name)
        if _is_shared(layer, part):
            others = layer.outputs if part == "second" else layer.columns
            mask = np.zeros((layer.groups * layer.copies, others), dtype=np.bool_)
            mask[layer.owned.reshape(-1)] = layer.edges().reshape(mask.shape)
            return np.ascontiguousarray(mask.T) if part == "second" else mask
        dense: BoolArray = self.mask_csr(name).toarray()
        return dense

    def mask_csr(self, name: str) -> csr_array:
        """`mask(name)` as a SciPy sparse array of booleans, never dense in memory where neurons keep one
        edge."""
        from scipy.sparse import csr_array

        layer, part = self._find(name)
        if _is_shared(layer, part):
            return csr_array(self.mask(name))
        owners, copies = np.nonzero(layer.neurons())
        neurons = layer.owned[owners, copies]
        ends = (neurons, owners) if part == "first" else (owners, neurons)
        hidden = layer.groups * layer.copies
        shape = (hidden, layer.inputs) if part == "first" else (layer.outputs, hidden)
        return csr_array((np.ones(neurons.size, dtype=np.bool_), ends), shape=shape)

    def _find(self, name: str) -> tuple[TicketLayer, str]:
        for layer in self.layers:
            for part in ("first", "second"):
                if name == f"{layer.name}.{part}":
                    return layer, part
        raise InvalidInput(f"`name` must be one of {', '.join(self.mask_names)}; got {name!r}.")

    def summary(self) -> dict[str, Any]:
        """The facts that pages, tables and ``--json`` show, JSON-ready."""
        layers = []
        for index, layer in enumerate(self.layers):
            own = self.assembled(index)
            live = own.live_positive if not layer.halved else np.minimum(own.live_positive, own.live_negative)
            layers.append(
                {
                    "name": layer.name,
                    "inputs": layer.inputs,
                    "outputs": layer.outputs,
                    "arrangement": layer.arrangement,
                    "copies": layer.copies,
                    "k": layer.k,
                    "window": layer.window,
                    "lifts": layer.lifts,
                    "scale_exponent": layer.scale_exponent,
                    "bias_exponent": layer.bias_exponent,
                    "tolerance": layer.tolerance,
                    "largest_error": self.certificate.largest_errors[index],
                    "rms_error": self.certificate.rms_errors[index],
                    "kept_first": layer.kept_first,
                    "kept_second": layer.kept_second,
                    "live_min": int(live.min()),
                    "live_max": int(live.max()),
                }
            )
        certificate = self.certificate.to_json()
        certificate.pop("worst_input")
        kept = self.equivariance
        return {
            "m": self.parameters,
            "m_t": self.target_parameters,
            "overparameterization": self.overparameterization,
            "kept": self.kept,
            "density": self.density,
            "sparsity": self.sparsity,
            "paper_density": self.paper_density,
            "dead_edges": self.dead_edges,
            "arrangement": self.construction.arrangement,
            "search": self.construction.search,
            "budget_counting": self.construction.budget,
            "domain": self.construction.domain.to_json(),
            "eps": self.construction.eps,
            "seed": self.source.seed,
            "law": self.source.law,
            "data_error": None if self.inputs is None else self.data_error(self.inputs),
            "layers": layers,
            "certificate": certificate,
            "equivariance": None if kept is None else kept.to_json(),
        }

    def save(self, path: str | Path, page: str | None = None) -> None:
        """Write the ticket as a new folder at `path`; see `slth.tickets.storage` for its files.

        page : text of ``report.html``, if there is one. Raises OutputExists when `path` exists.
        """
        from slth.tickets.storage import save_ticket

        save_ticket(self, Path(path), page)

    @classmethod
    def load(cls, path: str | Path) -> Ticket:
        """Read a ticket folder. Its manifest is verified; its mathematics only by `slth.check`.

        Raises TicketDamaged when a file is missing, extra, altered or malformed.
        """
        from slth.tickets.storage import load_ticket

        return load_ticket(Path(path))


def _is_shared(layer: TicketLayer, part: str) -> bool:
    """Whether neurons keep any number of edges in this sub-layer, instead of the one to their owner."""
    return (part == "second") == (layer.owners == "inputs")
