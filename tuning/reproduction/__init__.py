"""Reproducing the published protocols: every class in turn, several at once; methods side by side; one table."""
