"""What people look at: rebuilt from the study at any time, never read back."""
