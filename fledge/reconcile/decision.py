"""What the Rollouts of an environment call for, given what git says already: records in, acts out.

Level-triggered: only what is counts, never what was heard. Every act is idempotent, so doing it twice is no harm.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from fledge.release.render import DELIVERY

MODEL = "app.kubernetes.io/instance"  # the label that every object of a model carries
LONGEST = 500  # characters of a reason: it becomes a line of denied.yaml

State = Literal["aborted", "complete", "undecided", "moving"]


@dataclass(frozen=True)
class Seen:
    """A Rollout whose status is of the spec that it has now.

    aborted: the delivery left on its canary; complete: it serves all users; undecided: it waits since `since` for a
    person, for the judge could not tell; moving: none of these. `version` is the object's resourceVersion, `why` Argo Rollouts' own message.
    """

    name: str
    version: str
    model: str
    delivery: str
    state: State
    since: datetime | None = None
    why: str = ""


@dataclass(frozen=True)
class Told:
    """What git says of the model there: the deliveries tagged healthy, those denied, and the one that the branch holds."""

    healthy: frozenset[str] = frozenset()
    denied: frozenset[str] = frozenset()
    held: str | None = None


@dataclass(frozen=True)
class Dispatch:
    """Run this workflow for a delivery of a model; `reason` only for a revert."""

    workflow: Literal["auto-revert.yml", "healthy.yml"]
    model: str
    delivery: str
    reason: str | None = None


@dataclass(frozen=True)
class Incident:
    """What no act of ours mends: a person decides."""

    found: str


def seen(rollout: Mapping[str, Any]) -> Seen | None:
    """A Rollout as the Kubernetes API has it.

    None for one that is not of Fledge, and while its controller has not looked at the spec yet: until then its phase is
    that of the previous generation (Argo Rollouts keeps observedGeneration as text).
    """
    metadata, status = rollout["metadata"], rollout.get("status") or {}
    model = (metadata.get("labels") or {}).get(MODEL)
    delivery = (rollout["spec"].get("template", {}).get("metadata", {}).get("labels") or {}).get(DELIVERY)
    if not model or not delivery or status.get("observedGeneration") != str(metadata["generation"]):
        return None
    state, since = _state(status)
    return Seen(metadata["name"], metadata["resourceVersion"], model, delivery, state, since, status.get("message", ""))


def _state(status: Mapping[str, Any]) -> tuple[State, datetime | None]:
    stable = status.get("stableRS", "") == status.get("currentPodHash")
    if status.get("abort"):
        # With stable itself aborted (its pods stay away) nothing left: there is no canary.
        return ("moving" if stable else "aborted"), None
    if stable and status.get("phase") == "Healthy":
        return "complete", None
    for pause in status.get("pauseConditions") or ():
        if pause["reason"] == "InconclusiveAnalysisRun":
            return "undecided", datetime.fromisoformat(pause["startTime"])
    return "moving", None


def patience(text: str) -> timedelta | None:
    """How long an undecided canary may wait, of project.yaml's `30m`, `2h`; None for `hold`."""
    units = {"m": "minutes", "h": "hours"}
    return None if text == "hold" else timedelta(**{units[text[-1]]: int(text[:-1])})


def overdue(one: Seen, after: timedelta | None, now: datetime) -> bool:
    """Whether an undecided canary has waited its time: while it waits, users go on meeting it (argo-rollouts#2866)."""
    return one.since is not None and after is not None and now - one.since >= after


def asks(one: Seen, healthy: frozenset[str]) -> bool:
    """Whether git may not say yet what this Rollout shows. For most it does, and no file of it is read."""
    return one.state == "aborted" or (one.state == "complete" and one.delivery not in healthy)


def gone(
    reverts: Iterable[tuple[str, str]], found: Sequence[Seen], healthy: Mapping[str, frozenset[str]]
) -> list[tuple[str, str]]:
    """Of the (model, delivery) that reverts were proposed of: those that no Rollout carries and that never were healthy.

    Of one that a Rollout carries its own state says what to do.
    """
    carried = {(one.model, one.delivery) for one in found}
    return [one for one in reverts if one not in carried and one[1] not in healthy[one[0]]]


def act(one: Seen, told: Told) -> Dispatch | Incident | None:
    """What to ask of the repository's workflows; None where git says already what is."""
    if one.state == "complete":
        return _completed(one, told)
    return _left(one, told) if one.state == "aborted" else None


def _completed(one: Seen, told: Told) -> Dispatch | Incident | None:
    if one.delivery in told.denied:
        return Incident(f"delivery {one.delivery} is denied and serves all users, expected another")
    return None if one.delivery in told.healthy else Dispatch("healthy.yml", one.model, one.delivery)


def _left(one: Seen, told: Told) -> Dispatch | Incident | None:
    if one.delivery in told.healthy:
        return Incident(f"delivery {one.delivery} was healthy and left its canary, expected another on the branch")
    if one.delivery not in told.denied or (one.delivery == told.held and told.healthy - told.denied):
        return Dispatch("auto-revert.yml", one.model, one.delivery, (one.why or "aborted")[:LONGEST])
    if one.delivery == told.held:
        return Incident(f"delivery {one.delivery} is denied, expected a healthy one to go back to")
    return None
