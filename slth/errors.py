"""Every exception that slth raises on purpose, in one tree.

Each class also derives from the builtin that a caller would naturally catch, and carries the exit code
with which the command line ends when the exception reaches it.
"""

from __future__ import annotations

from typing import Any, ClassVar


class SlthError(Exception):
    """Base of all exceptions raised on purpose by slth."""

    exit_code: ClassVar[int] = 4


class InvalidInput(SlthError, ValueError):
    """An argument or a file given by the user breaks its stated rule."""

    exit_code = 2


class OutputExists(SlthError, FileExistsError):
    """A command was asked to write where something already stands."""

    exit_code = 2


class MissingExtra(SlthError, ImportError):
    """An optional dependency is needed; the message names the extra to install."""

    exit_code = 2


class CapacityExceeded(SlthError, MemoryError):
    """The work needs more memory (or a larger number range) than it may use; raised before allocating."""

    exit_code = 3


class SolverFailed(SlthError, RuntimeError):
    """A foreign solver ended in a state that is not an answer.

    Attributes
    ----------
    status : str
        The solver's own word for how it ended.
    """

    def __init__(self, message: str, status: str) -> None:
        super().__init__(message)
        self.status = status


class WeightsUnreachable(SlthError, RuntimeError):
    """Some target weights have no subset within tolerance on this source.

    Attributes
    ----------
    failures : tuple
        One record per weight: layer, output, input, half, best error found, tolerance.
    """

    exit_code = 1

    def __init__(self, message: str, failures: tuple[Any, ...]) -> None:
        super().__init__(message)
        self.failures = failures


class BoundMissed(SlthError, RuntimeError):
    """A ticket was built, but its certificate proves less than was asked.

    Attributes
    ----------
    bound, eps : float
        What is proved of the output error, and what was asked.
    """

    exit_code = 1

    def __init__(self, message: str, bound: float, eps: float) -> None:
        super().__init__(message)
        self.bound = bound
        self.eps = eps


class TicketDamaged(SlthError, RuntimeError):
    """A ticket's files do not prove what they say.

    Attributes
    ----------
    problems : tuple of str
        Each thing found wrong, in the order it was found.
    """

    exit_code = 1

    def __init__(self, message: str, problems: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems or (message,)


class LedgerDamaged(SlthError, RuntimeError):
    """A ledger holds rows that are not what was written, or two ledgers contradict each other.

    Attributes
    ----------
    path : str
        The ledger's file.
    problems : tuple of str
        Each thing found wrong.
    """

    exit_code = 1

    def __init__(self, message: str, path: str, problems: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.path = path
        self.problems = problems or (message,)


class SweepIncomplete(SlthError, RuntimeError):
    """Some blocks of a sweep could not be done; those that could are in the ledger.

    Attributes
    ----------
    problems : tuple of str
        Each cell that failed, with the reason.
    """

    exit_code = 1

    def __init__(self, message: str, problems: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems or (message,)
