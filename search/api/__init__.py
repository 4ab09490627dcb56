"""Search, feedback and history for programs."""
