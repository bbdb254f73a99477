"""Layers of networks that compute the same in less time."""
