"""Networks as graphs of named nodes, domains of inputs, and random sources as specifications."""
