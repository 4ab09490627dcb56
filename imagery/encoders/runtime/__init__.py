"""How a tower is computed: torch (the reference, and GPUs) or OpenVINO (CPUs), and how that is chosen."""
