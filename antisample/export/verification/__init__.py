"""Which statements of a card hold: computed again from the model file and the data."""
