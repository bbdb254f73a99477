"""The training loop that original models, references and unlearning methods share."""
