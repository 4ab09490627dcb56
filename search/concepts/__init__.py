"""Concepts: what they mean to the person who searches with them, and what a search leaves behind as one."""
