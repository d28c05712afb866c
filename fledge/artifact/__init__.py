"""An artifact: what a SavedModel holds, what its contract promises, and who signed it."""
