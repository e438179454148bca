"""From a source and a target to a ticket: construction, certificate, files, independent check."""
