"""Several studies side by side: one page, and a table for the terminal."""
