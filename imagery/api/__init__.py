"""Collections, scenes and jobs for programs."""
