"""Settings and their rules: what is read from a user's file is checked in one place, all problems at once."""
