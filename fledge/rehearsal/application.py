"""One Application in the cluster, which is one model's: what was applied, and where its Rollout is."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import reduce
from operator import getitem

from fledge.problems import Problem
from fledge.rehearsal.malformed import MALFORMED
from fledge.rehearsal.node import Pod
from fledge.rehearsal.objects import HASH, Object
from fledge.rollout import Status, scaled, services
from fledge.rollout.plan import plan_of
from fledge.rollout.records import Promotion

# What the rehearsal takes from a Rollout, apart from its plan.
NEEDED = (
    ("metadata", "namespace"),
    ("spec", "template", "spec", "containers"),
)

Key = tuple[str, str]  # kind and name: all objects of an Application are in one namespace


@dataclass
class Application:
    """`spec` is the Rollout's as last applied, `templates` are by pod-template hash, `analyses` by step.

    `promoted` is a hash that became stable and is not Healthy yet; `delivered` says that one was.
    """

    name: str
    objects: dict[Key, Object]
    spec: Object | None = None
    status: Status | None = None
    templates: dict[str, Object] = field(default_factory=dict)
    pods: list[Pod] = field(default_factory=list)
    analyses: dict[int | Promotion, asyncio.Task[None]] = field(default_factory=dict)
    promoted: str | None = None
    delivered: bool = False

    @property
    def rollout(self) -> Object:
        return self.kinds("Rollout")[0]

    @property
    def wanted(self) -> Object:
        """The Rollout's spec with the replicas that its autoscaler sets."""
        return dict(scaled(self.rollout, self.objects.values()))

    @property
    def guarded(self) -> bool:
        """Whether an analysis is asked for that runs beside a canary's steps, or after a blue-green switch."""
        asked = {key for strategy in self.rollout["spec"]["strategy"].values() for key in strategy}
        return bool(asked & {"analysis", "postPromotionAnalysis"})

    @property
    def weights(self) -> dict[str, int]:
        """The weights of Services that Argo Rollouts writes into routes; blue-green writes none."""
        shares = zip(services(self.rollout["spec"]), (self.status or Status()).weights, strict=True)
        return dict(shares) if "canary" in self.rollout["spec"]["strategy"] else {}

    @property
    def selected(self) -> dict[str, str | None]:
        """The ReplicaSet that each Service selects."""
        return dict(zip(services(self.rollout["spec"]), (self.status or Status()).selectors, strict=True))

    @property
    def current(self) -> str | None:
        return self.status.current if self.status else None

    def kinds(self, *kinds: str) -> list[Object]:
        return [item for (kind, _), item in self.objects.items() if kind in kinds]

    def live(self, digest: str) -> list[Pod]:
        """The pods of a ReplicaSet that are not being deleted."""
        return [pod for pod in self.pods if pod.labels[HASH] == digest and not pod.deleted.is_set()]

    def release(self, digest: str | None) -> dict[str, str]:
        """What a pod template's labels say: delivery and version."""
        labels = self.templates.get(digest or "", {}).get("metadata", {}).get("labels", {})
        return {key: labels.get(f"fledge.dev/{key}", "") for key in ("delivery", "version")}

    def title(self, digest: str | None) -> str:
        release = self.release(digest)
        return f"{release['version']} ({release['delivery']})"


def by_key(name: str, objects: Iterable[Object]) -> dict[Key, Object]:
    """Index a rendered file's objects. Raises Problem unless exactly one is a Rollout, and one that can be played."""
    found = {(item["kind"], item["metadata"]["name"]): item for item in objects}
    if sum(kind == "Rollout" for kind, _ in found) != 1:
        kinds = ", ".join(kind for kind, _ in found) or "nothing"
        raise Problem(f"{name}: found {kinds}, expected exactly one Rollout (manifests/rendered)")
    rollout = next(item for (kind, _), item in found.items() if kind == "Rollout")
    try:
        plan_of(scaled(rollout, found.values()))
        services(rollout["spec"])
        for path in NEEDED:
            reduce(getitem, path, rollout)
    except MALFORMED as error:
        raise Problem(f"{name}: found {error!r}, expected a whole Rollout (manifests/rendered)") from None
    return found
