"""The seven acts. Each says what it does with the very commands, and raises Problem if it does not end as told."""

import json
import time
from collections.abc import Callable

from fledge import evidence, git, release
from fledge.branch.affected import affected
from fledge.hashing import dvc_directory
from fledge.problems import Problem
from fledge.project import read_yaml
from fledge.release import history, lineage
from scripts.demo import traffic
from scripts.demo.moves import (
    answered,
    change,
    denied,
    healthy,
    merge,
    own,
    promote,
    propose,
    rehearse,
    serving,
    serving_folders,
    show_canary,
    users,
)
from scripts.demo.stage import Story

FAULTY = "1.1.1"


def data_and_model(story: Story) -> None:
    """Data and model: DVC proves the example data and trains the first model"""
    stage = story.stage
    own(story)
    stage.run("make data")
    stage.run("make train")
    stage.run("git add dvc.lock models && git commit -q -m 'Train the first model' && git push -q origin main")
    data = read_yaml(stage.clone / "data.dvc")["outs"][0]["md5"]
    stage.say(f"    artifact {lineage.trained(stage.clone, story.model, 'HEAD').artifact}, data {data}")
    story.facts["metrics"] = json.loads((stage.clone / f"models/{story.model}/metrics.json").read_text())


def first_release(story: Story) -> None:
    """First release: 1.0.0 goes to staging, then production; golden requests make it healthy"""
    stage = story.stage
    rehearse(story, "staging")
    rehearse(story, "production", "--fault", f"{story.model}/{FAULTY}={story.share}")
    stage.run("git switch -q -c first-release")
    propose(story, "first-release")
    healthy(story, "staging", "1.0.0")
    promote(story, "1.0.0")
    healthy(story, "production", "1.0.0")
    users(story)


def good_candidate(story: Story) -> None:
    """A good candidate: trained with a lower learning rate, gates PASS, canary in staging, then 5 → 25 → 100 in production"""
    change(story, "learn-slower", "learning_rate", "0.002", "Lower the learning rate")
    propose(story, "learn-slower")
    healthy(story, "staging", "1.1.0")
    promote(story, "1.1.0")
    healthy(story, "production", "1.1.0")
    show_canary(story, "1.1.0")


def broken_candidate(story: Story) -> None:
    """A broken candidate: it loads and answers, its ranking is as good, and its probabilities are wrong"""
    stage = story.stage
    change(story, "weigh-late-flights", "class_weight", "3.0", "Weigh late flights three times")
    stage.run(f"make release MODEL={story.model}")
    stage.run("make gates-pass", refused=True)
    [proposed] = affected(stage.clone, "origin/main")
    md5, champion = proposed.candidate.artifact.md5, proposed.champion and proposed.champion.artifact.md5
    kept = stage.clone / ".fledge" / "artifacts" / f"{proposed.evidence}.json"
    seen = evidence.from_json(kept.read_text(), str(kept))
    if not seen.blocking:
        raise Problem("demo: the gates refused without a BLOCK, expected the check, the number and the remedy")
    story.facts["broken"] = {
        "candidate": md5,
        "champion": champion,
        "blocked": sorted(f"{c.gate}.{c.name}" for c in seen.blocking),
    }
    stage.run("git switch -q main && git branch -q -D weigh-late-flights && dvc checkout -q")


def fails_in_production(story: Story) -> None:
    """A candidate that fails only in production: no offline test can see it; the judge does, and git is reverted"""
    stage = story.stage
    change(story, "another-seed", "seed", "8", "Train with another seed")
    propose(story, "another-seed")
    healthy(story, "staging", FAULTY)
    merged = time.time()
    delivery = promote(story, FAULTY)
    if not story.share:
        healthy(story, "production", FAULTY)
        return
    cause = stage.wait("the revert lands in git by itself", lambda: denied(story, delivery))
    show_canary(story, FAULTY)
    stage.wait("traffic is back on 1.1.0", lambda: serving(story, "1.1.0"))
    hurt = traffic.counts(traffic.answers(story.log, since=merged))
    stage.say(f"    denied: {cause}")
    stage.say(f"    [bold]{hurt['failed']} of {hurt['sent']} requests failed until the abort[/]")
    story.facts["hurt"] = hurt["failed"]
    stage.run("git fetch -q --tags && git merge -q --ff-only origin/main && git log -1 --format='%h %an: %s'")
    stage.run(f"make promote MODEL={story.model} TO=production", refused=True)


def roll_back(story: Story) -> None:
    """git revert of the release that act 3 promoted: traffic is back on 1.0.0"""
    stage = story.stage
    promotion = git.git(stage.clone, "log", "--first-parent", "--format=%H", "--grep=promote-1.1.0", "main")
    stage.run("git switch -q -c back-to-1.0.0")
    stage.run(f"git revert --no-edit -m 1 {promotion[:10]}")
    began = time.time()
    landed = merge(story, "back-to-1.0.0")
    stage.wait("traffic is back on 1.0.0", lambda: serving(story, "1.0.0"))
    since = traffic.answers(story.log, since=began)
    last = traffic.last_from(since, release.number("1.1.0"))
    if last is None:
        raise Problem("demo: 1.1.0 answered nobody before the rollback, expected it to serve")
    seconds = last - landed
    failed = traffic.counts(since)["failed"]
    stage.say(f"    [bold]{seconds:.2f} s from the commit on main to the last answer of 1.1.0; {failed} failed[/]")
    story.facts["rollback"] = {"seconds": seconds, "failed": failed, "check": landed - began}
    if failed:
        raise Problem(f"demo: {failed} requests failed during the rollback, expected 0")


def ledger(story: Story) -> None:
    """The ledger: what git says, what really serves, and that they are equal"""
    stage = story.stage
    stage.run("git fetch -q --tags && git log --oneline --first-parent origin/main")
    stage.run("make status")
    for files in map(story.files, ("staging", "production")):
        wanted = history.release_at(stage.clone, files, "origin/main")
        if wanted is None:
            raise Problem(f"demo: {files.who} has no release on main, expected one")
        answers = answered(story, files)
        pods = sorted({dvc_directory(folder)[0] for folder in serving_folders(story, files)})
        stage.say(f"    {files.who}: git {wanted.version}, {wanted.artifact.md5}")
        stage.say(f"    {' ' * len(files.who)}  answers {answers}, pods {', '.join(pods)}")
        if answers != wanted.number or pods != [wanted.artifact.md5]:
            raise Problem(f"demo: {files.who} serves {answers} from {pods}, expected what git says")
        story.facts[files.environment] = {"answers": answers, "pods": pods}


Act = Callable[[Story], None]
ACTS: list[Act] = [
    data_and_model,
    first_release,
    good_candidate,
    broken_candidate,
    fails_in_production,
    roll_back,
    ledger,
]
