"""The command line: `slth COMMAND`. Importing this is light; `main` loads the rest."""


def main() -> None:
    """Run the command line on sys.argv and exit with its code."""
    import sys

    try:
        from slth.cli.app import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # pressed before `run` could see it
        code = 130
    sys.exit(code)
