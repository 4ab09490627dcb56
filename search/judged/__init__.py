"""Judged query sets: pure parts (TREC files, measures, significance, plots) and the reads they need."""
