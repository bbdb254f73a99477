"""Where studies live: the journal file or PostgreSQL, and the lease of the one driver that may write."""
