"""Pages and pictures: the ticket report, the catalogue of figures, the reproduction."""
