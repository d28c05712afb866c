"""An object that lacks its parts is a mistake in a manifest, not a bug: told, never a traceback."""

# What reading it raises.
MALFORMED = (LookupError, TypeError, AttributeError, ValueError)
