"""Every mutant of the zoo, in the order of its number."""

import importlib
from pathlib import Path

from tests.zoo.record import Mutant


def everything() -> list[Mutant]:
    """The mutants of all families; the controls last."""
    names = sorted(file.stem for file in Path(__file__).with_name("families").glob("*.py"))
    families = [importlib.import_module(f"tests.zoo.families.{name}").MUTANTS for name in names]
    return sorted((mutant for family in families for mutant in family), key=lambda one: (one.control, one.id))
