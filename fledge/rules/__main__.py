"""Write docs/rules.md: `python -m fledge.rules > docs/rules.md`."""

from fledge.rules.table import RULES

HEAD = """# The rules of `make check`

One rule a row; `python -m fledge.rules` writes this page from `fledge/rules/table.py`. Each is held by at least two
edits of what it reads (`tests/rules/`): rendered again, and refused by the rule's own line.

*Tried* means that the real controllers were seen to do it (Argo Rollouts 1.10.2 on Kubernetes 1.36.4); where a recording
of it is kept, the row names the file ([how to read one](../tests/traces/README.md)). A name with a number is an issue:
argo-rollouts and argo-cd are of argoproj, flagger of fluxcd, and plugin is
argoproj-labs/rollouts-plugin-trafficrouter-gatewayapi. A name with a colon is a page of that project's documentation, or
a file of its source. What the words of this page mean: [words.md](words.md).

A rendered file is judged where its bytes are new to its environment, and in the first environment, where
`make render` can mend it in the same pull request, also where they are not. What a later environment or a healthy tag
holds was judged when it was merged: a rule that is younger than those bytes must neither refuse a rollback nor every
pull request until production has followed. `make check ALL=1` judges everything anew.

A release is derived again where its bytes are new to the target branch, there alone, also with `ALL=1`: see [releases.md](releases.md).
"""
READS = {
    "repository": "project.yaml, and which files there are",
    "files": "the files of an (environment, model)",
    "history": "what git remembers of them",
    "offer": "a release that the target branch never had, in the first environment",
    "schema": "every rendered file, its schemas",
    "every": "every rendered file",
    "model": "a model's rendered file",
    "platform": "the platform's rendered file",
}


def page() -> str:
    """The page, with a table for each thing that rules read."""
    parts = [HEAD]
    for scope, reads in READS.items():
        parts.append(
            f"\n## {reads[0].upper()}{reads[1:]}\n\n| rule | holds | refuses, for example | because |\n|---|---|---|---|\n"
        )
        parts += [
            f"| {rule.name} | {rule.holds} | {rule.example} | {rule.why} |\n" for rule in RULES if rule.scope == scope
        ]
    return "".join(parts)


if __name__ == "__main__":
    print(page(), end="")
