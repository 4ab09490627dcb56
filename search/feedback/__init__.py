"""The feedback log: what was shown, and (in ``search.services``) what people did with it."""
