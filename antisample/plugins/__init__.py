"""Methods, metrics, data sets and samplers of other packages, found by entry points."""
