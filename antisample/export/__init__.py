"""An unlearned model as files: weights, other formats, and the card that says what was done."""
