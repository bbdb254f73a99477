"""Forget requests and the splits that they make of a data set."""
