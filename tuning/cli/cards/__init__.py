"""Where a card comes from: its command, its study, and whether they agree with it."""
