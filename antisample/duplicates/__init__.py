"""Copies of images to forget among the others: found, counted, and treated as the request says."""
