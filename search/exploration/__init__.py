"""Experiments on rankings that people see: swaps of neighbours, and two rankers interleaved (docs/experiments.md)."""
