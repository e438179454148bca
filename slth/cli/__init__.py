"""The command line: `slth COMMAND`. Importing this is light; `main` loads the rest."""


def main() -> None:
    """Run the command line on sys.argv and exit with its code."""
    import sys

    from slth.cli.app import run

    sys.exit(run(sys.argv[1:]))
