"""Simulated people on labelled images: what feedback is worth, measured on the very ranking that searches use."""
