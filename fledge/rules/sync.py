"""What keeps Argo CD's sync operation short: while one runs, a revert in git is not applied."""

from collections.abc import Iterator

from fledge.rules.documents import Document, Pair

ARGOCD = "argocd.argoproj.io"
HOOKS = {f"{ARGOCD}/hook", "helm.sh/hook"}


def last_wave(pair: Pair) -> Iterator[str]:
    """Nothing waits for the Rollout: it is in the last wave."""
    mine = wave(pair.rollout)
    for one in pair.documents:
        if wave(one) > mine:
            yield pair.line(
                f"{one['kind']} {one['metadata']['name']} is in wave {wave(one)}",
                f"none after the Rollout's {mine}",
                f"manifests/: {ARGOCD}/sync-wave",
            )


def no_hook(pair: Pair) -> Iterator[str]:
    """No object is a hook of the sync."""
    for one in pair.documents:
        for key in sorted(HOOKS & annotations(one).keys()):
            found = f"{one['kind']} {one['metadata']['name']} is a hook, {annotations(one)[key]}"
            yield pair.line(found, "none", f"manifests/: {key}")


def no_prune_last(pair: Pair) -> Iterator[str]:
    """No object is pruned in a wave of its own."""
    for one in pair.documents:
        if "PruneLast" in annotations(one).get(f"{ARGOCD}/sync-options", ""):
            found = f"{one['kind']} {one['metadata']['name']} has PruneLast"
            yield pair.line(found, "it left out", f"manifests/: {ARGOCD}/sync-options")


def wave(document: Document) -> int:
    return int(annotations(document).get(f"{ARGOCD}/sync-wave", 0))


def annotations(document: Document) -> dict[str, str]:
    return dict(document["metadata"].get("annotations") or {})
