"""The networks that are registered by name."""
