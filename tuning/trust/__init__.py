"""What a study that somebody has sent may do: name code and addresses, which nobody uses until the user says so."""
