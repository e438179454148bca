"""Where blocks are done: in this process, in local processes, or on a Dask cluster; one interface for all.

And by whom, where a run is divided into shards.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from typing import Any

from slth._validate import as_integer
from slth.errors import InvalidInput, MissingExtra

SERIAL = "serial"
PROCESSES = "processes"
DASK = "dask://"
Shard = tuple[int, int]


def shard_index(shard: Shard | None) -> Shard:
    """(i - 1, n) of the i-th of n shards, (0, 1) of None; InvalidInput unless 1 <= i <= n."""
    i, n = shard or (1, 1)
    if not 1 <= i <= n:
        raise InvalidInput(f"`shard` must be i/n with 1 <= i <= n; got {i}/{n}.")
    return i - 1, n


class SerialExecutor(Executor):
    """Does each task at once, in the calling thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call and wrap the result; Ctrl-C passes through."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to the future
            future.set_exception(error)
        return future


@contextmanager
def open_executor(kind: str, workers: int | None) -> Iterator[tuple[Executor, int]]:
    """An executor and how many tasks to keep in flight.

    Parameters
    ----------
    kind : str
        "serial", "processes" or "dask://host:port".
    workers : int or None
        Number of processes; default: the CPUs available.

    Raises
    ------
    InvalidInput
        If `kind` is none of these.
    MissingExtra
        If Dask is wanted and not installed.
    """
    if kind == SERIAL:
        yield SerialExecutor(), 1
    elif kind == PROCESSES:
        count = (
            len(os.sched_getaffinity(0))
            if workers is None
            else as_integer(workers, "workers", low=1, high=4096)
        )
        with _processes(count) as pool:
            yield pool, 2 * count
    elif kind.startswith(DASK) and len(kind) > len(DASK):
        with _dask("tcp://" + kind.removeprefix(DASK)) as (pool, count):
            yield pool, 2 * count
    else:
        raise InvalidInput(f"`executor` must be serial, processes or dask://host:port; got {kind!r}.")


@contextmanager
def _processes(count: int) -> Iterator[Executor]:
    # spawn, never fork: a forked child inherits locks and threads of the compiler in any state
    context = multiprocessing.get_context("spawn")
    reader, writer = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(count, mp_context=context, initializer=_begin, initargs=(reader,))
    try:
        yield pool
    except BaseException:
        writer.close()  # workers leave at once, in the middle of their blocks
        pool.shutdown(wait=True, cancel_futures=True)
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        writer.close()
        reader.close()


def _begin(stop: Connection) -> None:
    """Ready a worker: Ctrl-C is its parent's business, and it does not outlive its parent.

    A parent killed outright can tell nobody; its sentinel does.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    watched: list[Any] = [stop, *([parent.sentinel] if parent is not None else [])]

    def leave() -> None:
        wait(watched)
        os._exit(1)

    threading.Thread(target=leave, daemon=True).start()


@contextmanager
def _dask(address: str) -> Iterator[tuple[Executor, int]]:
    try:
        import distributed
    except ImportError:
        raise MissingExtra("`executor` dask:// needs Dask. Install slth[distributed].") from None
    connect: Any = distributed.Client  # a class without types
    try:
        client = connect(address, timeout="20s", set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise InvalidInput(f"`executor` must be the address of a Dask scheduler; {address}: {error}.") from None
    try:
        workers = max(1, sum(client.nthreads().values()))
        # pure=False: two sweeps on one cluster never share a task; retries: a block whose worker died is
        # simply done again elsewhere
        pool = client.get_executor(pure=False, retries=5)
        try:
            yield pool, workers
        finally:
            pool.shutdown(wait=False)
    finally:
        client.close()
