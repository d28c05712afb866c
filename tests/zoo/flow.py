"""TensorFlow, imported when it is first used: the list of mutants is read in processes that must not have it."""

from typing import Any


def __getattr__(name: str) -> Any:
    import tensorflow

    return getattr(tensorflow, name)
