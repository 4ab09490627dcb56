"""Writes of the catalogue, one module per concept."""
