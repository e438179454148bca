"""The application: its commands, and how every way of ending becomes an exit code.

0 verified or done, 1 refuted or failed, 2 usage, 3 undecided or capacity exceeded, 4 internal error,
130 interrupted.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

from cyclopts import App, CycloptsError

from slth import __version__
from slth.cli import (
    bound,
    check,
    compare,
    doctor,
    estimate,
    figure,
    frontier,
    prune,
    reproduce,
    solve,
    sweep,
    verify,
)
from slth.cli.output import error_console, print_json
from slth.errors import SlthError, TicketDamaged, WeightsUnreachable

DONE, FAILED, USAGE, UNDECIDED, INTERNAL, INTERRUPTED = 0, 1, 2, 3, 4, 130

EPILOGUE = """\
Exit codes: 0 verified or done; 1 refuted or failed; 2 usage; 3 undecided or capacity exceeded; 4 internal error; 130 interrupted. Results go to stdout, progress to stderr.
"""  # noqa: E501 - one paragraph, wrapped where it is shown


def build() -> App:
    """The command line as a cyclopts application."""
    app = App(
        name="slth",
        help="Strong Lottery Tickets: verify subset sum bounds, prune frozen random networks, draw density.",
        help_epilogue=EPILOGUE,
        help_format="markdown",
        version=__version__,
        suppress_keyboard_interrupt=False,
    )
    app.command(solve.command, name="solve")
    app.command(bound.command, name="bound")
    app.command(prune.command, name="prune")
    app.command(check.command, name="check")
    app.command(verify.command, name="verify")
    app.command(estimate.command, name="estimate")
    app.command(sweep.app)
    app.command(frontier.app)
    app.command(figure.app)
    app.command(compare.app)
    app.command(doctor.command, name="doctor")
    app.command(reproduce.command, name="reproduce")
    return app


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; no exception leaves here."""
    as_json = "--json" in arguments
    try:
        code = build()(
            list(arguments),
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
        )
        sys.stdout.flush()
        return code if isinstance(code, int) else DONE
    except CycloptsError as error:
        return _report(error, USAGE, as_json, kind="Usage")
    except SlthError as error:
        return _report(error, error.exit_code, as_json)
    except KeyboardInterrupt:
        return _report(KeyboardInterrupt("Interrupted."), INTERRUPTED, as_json, kind="Interrupted")
    except BrokenPipeError:
        # the reader of our output went away (`slth ... | head`): end quietly, and keep the shutdown quiet
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except MemoryError as error:
        return _report(error, UNDECIDED, as_json, kind="CapacityExceeded", text="Out of memory.")
    except Exception as error:  # noqa: BLE001 - the last line of defence: anything else is our fault
        if "--debug" in arguments or os.environ.get("SLTH_DEBUG"):
            traceback.print_exc()
        text = f"{type(error).__name__}: {error} (this is a defect of slth; --debug shows where it happened)"
        return _report(error, INTERNAL, as_json, kind="Internal", text=text)


def _report(error: BaseException, code: int, as_json: bool, *, kind: str = "", text: str = "") -> int:
    """Say on stderr what went wrong, and on stdout too when JSON was asked for."""
    kind = kind or type(error).__name__
    message = text or _text(error)
    error_console().print(f"slth: {message}", markup=False, highlight=False, soft_wrap=True)
    if as_json:
        record: dict[str, Any] = {"kind": kind, "message": message, "exit_code": code}
        if isinstance(error, WeightsUnreachable):
            record["failures"] = error.failures
        if isinstance(error, TicketDamaged):
            record["problems"] = error.problems
        print_json("error", {"error": record})
    return code


def _text(error: BaseException) -> str:
    if isinstance(error, CycloptsError):
        return f"{str(error).strip()} Try 'slth --help' or 'slth COMMAND --help'."
    return str(error) or type(error).__name__
