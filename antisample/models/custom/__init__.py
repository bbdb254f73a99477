"""Networks of a user's own: how they are built, and what they must do before they are used."""
