"""A model and a data set that exist as objects in memory: from a notebook to a model that has forgotten."""
