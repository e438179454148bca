"""A ResNet-18-shaped target, 11.2 million convolution weights, as a ticket on one machine.

Random He weights, no biases, every weight within 1e-4 of its layer's largest. The build runs in a process of
its own, is interrupted once in the middle and run again: it resumes from the finished layers, and the ticket
is checked from its files. Run: python benchmarks/resnet18.py FOLDER [--whole] (--whole also builds once without
the interruption and compares). Prints wall and processor time and peak memory of each step; judges
nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import os
import resource
import signal
import time
from pathlib import Path

import numpy as np

import slth
from slth.networks.basis import Translations
from slth.networks.layers import Add, Flatten, Input, Linear, Node, ReLU
from slth.networks.pooling import AveragePool, MaxPool
from slth.networks.windows import Windows

TOLERANCE = 1e-4


def resnet18(seed: int = 0, side: int = 224) -> slth.Network:
    """The convolutions, pools and identity paths of ResNet-18, and its dense layer, with He weights."""
    rng = np.random.default_rng(seed)
    nodes: list[Node] = [Input("image", 3 * side * side)]

    def convolution(name: str, parent: str, sizes: tuple[int, int, int], kernel: int, stride: int) -> int:
        inner, outer, width = sizes
        basis = Translations((width, width), kernel, stride=stride, padding=kernel // 2)
        spread = (2.0 / (inner * kernel * kernel)) ** 0.5
        nodes.append(Linear(name, parent, rng.normal(0, spread, (outer, inner, kernel * kernel)), basis))
        return width // stride

    width = convolution("stem", "image", (3, 64, side), 7, 2)
    nodes.append(ReLU("stem.relu", "stem"))
    nodes.append(MaxPool("pool", "stem.relu", 64, Windows((width, width), 3, stride=2, padding=1)))
    before, channels, width = "pool", 64, width // 2
    for stage, outer in enumerate((64, 128, 256, 512), start=1):
        for block in (1, 2):
            name, stride = f"{stage}.{block}", 2 if stage > 1 and block == 1 else 1
            narrow = convolution(f"{name}.one", before, (channels, outer, width), 3, stride)
            nodes.append(ReLU(f"{name}.inner", f"{name}.one"))
            convolution(f"{name}.two", f"{name}.inner", (outer, outer, narrow), 3, 1)
            shortcut = before
            if stride > 1:
                shortcut = f"{name}.short"
                convolution(shortcut, before, (channels, outer, width), 1, stride)
            nodes.append(Add(f"{name}.sum", (shortcut, f"{name}.two")))
            nodes.append(ReLU(f"{name}.relu", f"{name}.sum"))
            before, channels, width = f"{name}.relu", outer, narrow
    nodes.append(AveragePool("mean", before, 512, Windows((width, width), width)))
    nodes.append(Flatten("flat", "mean"))
    nodes.append(Linear("dense", "flat", rng.normal(0, 512**-0.5, (1000, 512, 1)), np.ones((1, 1, 1))))
    return slth.Network(tuple(nodes), "dense")


def build(folder: Path, side: int) -> None:
    """One build, resuming what is there; saved when it is done."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    network = resnet18(side=side)
    began = time.perf_counter()

    def show(name: str, done: int, total: int) -> None:
        if done == total:
            print(f"  {time.perf_counter() - began:7.1f} s  {name}  {total} weights", flush=True)

    domain = slth.Domain.box(0.0, 1.0, network.input_size)
    ticket = slth.prune(
        network, domain=domain, tolerance=TOLERANCE, seed=1, resume=folder / "layers", progress=show
    )
    ticket.save(folder / "ticket")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"  m/m_t {ticket.overparameterization:.1f}, density {ticket.density:.4f}, peak {peak:.2f} GiB",
        flush=True,
    )


def processor_time() -> float:
    """Processor seconds of the processes that this one has waited for, on all cores together."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(folder: Path, side: int, stop_after: int | None = None) -> str:
    """A build in a process of its own, interrupted once that many layers are finished; what it took."""
    began, spent = time.perf_counter(), processor_time()
    process = multiprocessing.get_context("spawn").Process(target=build, args=(folder, side))
    process.start()
    while stop_after is not None and process.is_alive():
        if len(list((folder / "layers").glob("*.npz"))) >= stop_after:
            os.kill(process.pid or 0, signal.SIGINT)
            break
        time.sleep(0.05)
    process.join()
    return f"{time.perf_counter() - began:.1f} s, processor {processor_time() - spent:.1f} s"


def digest(folder: Path) -> str:
    """One sum over all files of a ticket."""
    state = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        state.update(path.name.encode() + path.read_bytes())
    return state.hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--whole", action="store_true")
    options = parser.parse_args()
    folder = options.folder
    folder.mkdir(parents=True)
    print(f"interrupted after 9 layers: {run(folder, options.side, stop_after=9)}")
    print(f"resumed: {run(folder, options.side)}")
    began, spent = time.perf_counter(), time.process_time()
    report = slth.check(folder / "ticket", resnet18(side=options.side))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    seconds = f"{time.perf_counter() - began:.1f} s, processor {time.process_time() - spent:.1f} s"
    print(f"checked: {seconds}, peak {peak:.2f} GiB")
    for fact in report.facts:
        print(f"  {fact}")
    if options.whole:
        other = folder / "whole"
        other.mkdir()
        print(f"whole: {run(other, options.side)}")
        print("identical" if digest(folder / "ticket") == digest(other / "ticket") else "DIFFERENT")


if __name__ == "__main__":
    main()
