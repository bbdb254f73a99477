"""A search over a model and data sets that exist as objects in memory."""
