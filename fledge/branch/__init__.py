"""What a branch changes, which of it is looked at, and on whose terms."""
