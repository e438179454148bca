"""From files and foreign models to networks."""
