"""What DVC and the schedule run, the same for every model."""
