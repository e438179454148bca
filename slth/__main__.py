"""`python -m slth` is the command line."""

from slth.cli import main

if __name__ == "__main__":
    main()
