"""`python -m fledge.reconcile --env=staging …`: look once at an environment's Rollouts and at git, and mend what is lost."""

import argparse
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from fledge.github import REVERTS
from fledge.problems import Problem, reported
from fledge.reconcile.apis import (
    ACCOUNT,
    Api,
    abort,
    causes,
    dispatch,
    github,
    healthy,
    kubernetes,
    reverts,
    rollouts,
    told,
)
from fledge.reconcile.decision import LONGEST, Dispatch, Incident, Seen, act, asks, gone, overdue, patience, seen
from fledge.release import Files


@reported
def main(argv: Sequence[str] | None = None) -> int:
    """Abort what has waited too long, then ask for what git does not say yet. One that fails keeps no other waiting."""
    parser = argparse.ArgumentParser(prog="python -m fledge.reconcile", description=__doc__)
    parser.add_argument("--env", required=True)
    parser.add_argument("--api", required=True, help="GitHub's API of the repository: https://…/repos/<owner>/<name>")
    parser.add_argument("--branch", required=True, help="the target branch")
    parser.add_argument("--inconclusive", default="30m", help="how long an undecided canary may wait, or hold")
    parser.add_argument("--kubernetes", default="https://kubernetes.default.svc", help="the cluster's API")
    parser.add_argument("--account", type=Path, default=ACCOUNT, help="where a pod's token and CA are")
    options = parser.parse_args(argv)
    cluster, hub = kubernetes(options.kubernetes, options.account), github(options.api, _token())
    found = [one for rollout in rollouts(cluster, options.env) if (one := seen(rollout))]
    after, now = patience(options.inconclusive), datetime.now(UTC)
    said = [
        *tried(partial(give_up, cluster, options.env, one) for one in found if overdue(one, after, now)),
        *tried([lambda: mend(hub, options.branch, options.env, found)]),
    ]
    if said:
        raise Problem(*said)
    print(f"reconcile: {len(found)} Rollouts of {options.env} looked at")
    return 0


def tried(acts: Iterable[Callable[[], None]]) -> Iterator[str]:
    """Do each act; the lines of the problems that they raise. One that fails keeps no other waiting."""
    for one in acts:
        try:
            one()
        except Problem as problem:
            yield from problem.lines


def give_up(cluster: Api, environment: str, one: Seen) -> None:
    """Abort an undecided canary, without a word of git. Argo Rollouts tells of it, and so does the next look."""
    abort(cluster, environment, one)
    print(f"{environment}/{one.model}: {one.delivery} waits for a verdict since {one.since}, aborted")


def mend(hub: Api, branch: str, environment: str, found: Sequence[Seen]) -> None:
    """Ask for what git lacks of all these Rollouts. Raises Problem with every line, also for what a person must mend."""
    tagged = healthy(hub, environment)
    open_ones = [one for one in found if asks(one, tagged[one.model])]
    said = [
        *tried(partial(ask, hub, branch, environment, one, tagged[one.model]) for one in open_ones),
        *tried([lambda: resume(hub, branch, environment, found, tagged)]),
    ]
    if said:
        raise Problem(*said)


def ask(hub: Api, branch: str, environment: str, one: Seen, tagged: frozenset[str]) -> None:
    """Ask for what git lacks of one Rollout. Raises Problem, also for what only a person can mend."""
    files = Files(environment, one.model)
    wanted = act(one, told(hub, files, branch, tagged))
    if isinstance(wanted, Incident):
        raise Problem(f"{files.who}: {wanted.found} (an incident: a person decides)")
    if wanted:
        dispatch(hub, branch, environment, wanted)
        print(f"{files.who}: git does not say yet what became of {one.delivery}, {wanted.workflow} asked for")


def resume(
    hub: Api, branch: str, environment: str, found: Sequence[Seen], tagged: Mapping[str, frozenset[str]]
) -> None:
    """Ask again for denials that were proposed and had not landed when a newer delivery took the place in the Rollout.

    Raises Problem with every line.
    """
    left = gone(reverts(hub, environment), found, tagged)
    if said := list(tried(partial(deny, hub, branch, Files(environment, model), one) for model, one in left)):
        raise Problem(*said)


def deny(hub: Api, branch: str, files: Files, delivery: str) -> None:
    """Ask for a denial that the target branch lacks, for the reason that its own branch gives."""
    if delivery in causes(hub, files, branch):
        return
    why = causes(hub, files, f"{REVERTS}/{files.who}/{delivery}").get(delivery, "aborted")
    dispatch(hub, branch, files.environment, Dispatch("auto-revert.yml", files.model, delivery, why[:LONGEST]))
    print(f"{files.who}: {delivery} left and is not denied yet, auto-revert.yml asked for")


def _token() -> str:
    token = os.environ.get("GITHUB_TOKEN", "")
    if not token:
        raise Problem("reconcile: no GITHUB_TOKEN, expected it from the Secret dispatch (namespace fledge)")
    return token


if __name__ == "__main__":
    raise SystemExit(main())
