"""What a trial leaves behind, and how trials are compared. No Optuna."""
