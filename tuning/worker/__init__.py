"""Everything that runs in a Ray worker, and nothing else."""
