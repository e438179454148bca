"""`slth bound`: what the theorems say of given numbers."""

from slth.cli.output import COMMON, Common


def command(name: str | None = None, *, common: Common = COMMON) -> int:
    """Stub."""
    return 0
