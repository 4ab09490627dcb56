"""Keeping the worker processes alive: heartbeats, supervision, and starting several processes together."""
