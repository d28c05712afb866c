"""Fledge: models reach production by pull request. This library knows no model, owner or environment by name."""
