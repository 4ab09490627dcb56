"""STAC both ways: items of other archives come in, and what is here goes out."""
