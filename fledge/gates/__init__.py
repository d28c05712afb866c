"""The way from a change to evidence: pairs, limits, rows, and the process that runs tests/gates."""
