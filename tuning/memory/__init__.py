"""Request memory: what earlier studies tell a new one about where to begin."""
