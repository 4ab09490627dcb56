"""A Django database backend: PostgreSQL as Django knows it, started when it does not run."""
