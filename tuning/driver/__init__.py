"""Everything that runs in the driver: Ray Tune, its resources, and what happens before and after the search."""
