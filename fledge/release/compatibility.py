"""Write docs/compatibility.md: `python -m fledge.release.compatibility > docs/compatibility.md`."""

from fledge.artifact.compatibility.table import TABLE
from fledge.release import recipe

HEAD = """# How far a version is from the one before

For who releases a model, and for whose clients ask it. `make release` holds the model's contract and recipe against the
champion's, the last healthy release of the first environment, and prints each difference with the level that it asks
for; the highest one counts the version up. `make gates` asks the same table whether a version is high enough for its
contract, also in later environments, whose champion may be older. `python -m fledge.release.compatibility` writes this page.

## The contract

An old client sends yesterday's requests and reads yesterday's answers, both by yesterday's `contract.yaml`. It may send
what that contract says how to read (an input's `range`, `known`, `missing`; anything else where `known` and `unknown`
are said), and finds an output by its name. What then becomes of it:

- **refused**: TensorFlow Serving, or a model that keeps its contract, refuses a request that was answered;
- **answer**: an answer is what the old contract rules out;
- **meaning**: every request is answered as promised, and means something else. No request can show that;
- **nothing**: it gets what it had. Such a change is minor: new clients may rely on more than old ones.

tests/artifact/test_old_clients.py holds every row: it really sends old requests, by REST and by gRPC, to the strictest model of
the new contract, behind the stand-in for TensorFlow Serving; the real server answered none of them here. A renamed input
or output is one that is gone and one that is new.

**No input is optional.** TensorFlow Serving demands all inputs of a signature and refuses further ones, so an input more
breaks every client: a major version. Only gRPC takes fewer, of a signature with `defaults`; REST never does, so
contract.yaml has no word for it. An input that clients may leave unsaid is one that they send with its value of `missing`.

| what | change | level | an old client gets | because |
|---|---|---|---|---|
"""
RECIPE = """
## The recipe

`dvc.lock` names what made an artifact. It is read at the commit of the champion's training, or where the history of the
target branch names that artifact, and compared with today's; of the model's folder git compares all Python besides, such
as `data.py`, which no stage runs. Of the rows that fit a name the first counts. With nothing of these but other seeds
and other rows it is the same recipe: a patch. Where no commit holds the champion's training nobody can tell: a minor.

A new schema of the rows is a change of `data.py`, which alone writes them, or of the contract, which names every column
that a model is asked by; so it is a minor version, or a major one.

| what | found as | level | because |
|---|---|---|---|
"""


def page() -> str:
    """The page, with both tables."""
    rows = [f"| {_what(*rule[:2])} | {rule.change} | {rule.level} | {rule.sight} | {rule.why} |\n" for rule in TABLE]
    made = [f"| `{rule.pattern}` | {rule.change} | {rule.level} | {rule.why} |\n" for rule in recipe.TABLE]
    return "".join([HEAD, *rows, RECIPE, *made])


def _what(part: str, field: str | None) -> str:
    return f"`{field}`" if part == "contract" else f"an {part}" if field is None else f"an {part}'s `{field}`"


if __name__ == "__main__":
    print(page(), end="")
