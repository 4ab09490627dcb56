"""The feedback log in the administration."""
