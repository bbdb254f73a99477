"""The study: the single source of truth about what was tried and what came of it."""
