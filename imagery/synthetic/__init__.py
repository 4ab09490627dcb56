"""Synthetic archives for load tests: vectors and metadata that are distributed like real ones. Pure and repeatable."""
