"""From a table to axes: nothing is computed here."""
