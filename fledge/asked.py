"""What somebody typed behind a verb: names of project.yaml, and whatever is wrong with all of them at once."""

from collections.abc import Sequence

from fledge.problems import Problem, caught, every
from fledge.project import Project
from fledge.release import Files


def pairs(owner: Project, models: Sequence[str], environment: str, typed: str) -> list[Files]:
    """Each of these models, once, in an environment.

    Raises Problem, a line for each name that is none; where one is empty the line ends with what to type.
    """
    names = list(dict.fromkeys(models)) or [""]
    try:
        every([*(caught(owner.model, name) for name in names), caught(owner.environment, environment)])
    except Problem as problem:
        empty = "(no name)"
        lines = (f"{line}; type `{typed}`" if line.startswith(empty) else line for line in problem.lines)
        raise Problem(*lines) from None
    return [Files(environment, name) for name in names]
