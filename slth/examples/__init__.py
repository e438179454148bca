"""The network and data that ship with the package."""
