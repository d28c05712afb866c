"""The acts of `make demo`, asserted on what they left in git, in the events and in the users' log."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fledge import git
from fledge.gates.process import Pair, judge
from fledge.project import read_yaml
from fledge.release import Files, dump, history, render
from scripts.demo import moves, traffic
from scripts.demo.stage import Stage, Story
from tests.story.conftest import Told, running_in

STAGING, PRODUCTION = Files("staging", "delays"), Files("production", "delays")


def tags(told: Told) -> set[str]:
    names = git.git(told.stage.origin, "tag", "--list").splitlines()
    return {name.rpartition("-")[0] for name in names}


def test_every_act_ends_as_told(told: Told) -> None:
    """The demo ends with exit code 0 after seven acts, and nothing that it started is left."""
    assert told.code == 0, told.output[-3000:]
    assert len(told.report["acts"]) == 7
    assert running_in(told.stage.folder) == []


def test_the_first_model_ranks_well_enough(told: Told) -> None:
    """Act 1: on July, which it never saw, the example's AUC is at least 0.70, on at least 20,000 rows."""
    metrics = told.report["facts"]["metrics"]
    assert metrics["auc"] >= 0.70
    assert metrics["rows"] >= 20_000


def test_releases_become_healthy_in_both_environments(told: Told) -> None:
    """Acts 2, 3 and 5: the healthy tags are there, and none for what failed in production."""
    assert tags(told) == {
        "healthy/staging/delays/1.0.0",
        "healthy/production/delays/1.0.0",
        "healthy/staging/delays/1.1.0",
        "healthy/production/delays/1.1.0",
        "healthy/staging/delays/1.1.1",
    }


def test_the_good_candidate_was_judged_at_each_step(told: Told) -> None:
    """Act 3: production's canary got 5, then 25 %, the judge passed it at both, and then it served everyone."""
    mine = [event for event in told.events("production") if event.get("version") == "1.1.0"]
    weights = [event["canary"] for event in mine if event["event"] == "weights"]
    assert weights[:2] == [5, 25]
    assert "completed" in [event["event"] for event in mine]
    passed = {event["step"] for event in mine if event["event"] == "analysis" and event["outcome"] == "Successful"}
    assert len(passed) == 2


def test_users_are_served_all_along(told: Told) -> None:
    """Acts 3 to 7: at least 100 requests a second go through production's Envoy, and only act 5's canary fails any."""
    # The last two take seconds, and how such a short one is cut moves its rate: they count in all of them together.
    parts = [[3], [4], [5], [3, 4, 5, 6, 7]]
    sums = [[sum(told.act(number)[key] for number in part) for key in ("sent", "seconds")] for part in parts]
    assert [part for part, (sent, seconds) in zip(parts, sums, strict=True) if sent < 100 * seconds] == []
    assert [act["act"] for act in told.report["acts"] if act["failed"]] == [5]


def test_both_apis_are_used(told: Told) -> None:
    """Users ask by REST and by gRPC."""
    apis = [answer.api for answer in traffic.answers(told.stage.folder / "traffic.jsonl")]
    assert min(apis.count("rest"), apis.count("grpc")) > len(apis) / 3


def test_the_broken_candidate_is_blocked_only_by_statistics(told: Told) -> None:
    """Act 4: it loads, answers and ranks; its probabilities are refused, and it never reaches main."""
    broken = told.report["facts"]["broken"]
    statistics = [
        "calibration.in_the_large",
        "fairness.relative",
        "regression.floor",
        "regression.log_loss",
        "segments.harm",
    ]
    assert broken["blocked"] == statistics
    log = git.git(told.stage.origin, "log", "--format=%s", "main")
    assert "Weigh late" not in log


def test_with_its_limits_moved_the_broken_candidate_passes(told: Told, tmp_path: Path) -> None:
    """Act 4: exactly the limits of the checks that blocked it stand between that candidate and a PASS."""
    broken, clone = told.report["facts"]["broken"], told.stage.clone
    moved = tmp_path / "models" / "delays"
    shutil.copytree(clone / "models" / "delays", moved, ignore=shutil.ignore_patterns("saved_model"))
    params = read_yaml(moved / "params.yaml")
    limits = params["gates"]
    limits["regression"]["log_loss"]["margin"] = 0.5
    limits["regression"]["floor"]["min_improvement"] = -0.5
    limits["segments"]["harm"]["margins"]["log_loss"] = 0.5
    limits["calibration"]["in_the_large"]["limit"] = 0.5
    limits["fairness"]["relative"]["cap"] = 50
    assert {"log_loss", "floor", "harm", "in_the_large", "relative"} == {
        name.partition(".")[2] for name in broken["blocked"]
    }
    (moved / "params.yaml").write_text(dump(params))
    kept = clone / ".fledge" / "artifacts"
    data = read_yaml(clone / "data.dvc")["outs"][0]["md5"]
    rows = tuple(sorted((kept / data / "delays").glob("*.parquet")))
    seen = tuple(file for file in rows if file.stem in params["train"]["months"])
    found = judge(Pair(moved, kept / broken["candidate"], kept / broken["champion"], rows, training=seen))
    assert [check.line for check in found.blocking] == []


def test_a_handful_of_users_is_hurt(told: Told) -> None:
    """Act 5: the judge stops a canary that fails a fifth of its requests within 20 failed requests."""
    assert 1 <= told.report["facts"]["hurt"] <= 20


def test_the_revert_lands_by_itself(told: Told) -> None:
    """Act 5: the app denies 1.1.1 in one commit and brings 1.1.0's bytes back in another, and touches nothing else."""
    origin = told.stage.origin
    reverted, denied = git.git(origin, "log", "--format=%H", "--author=fledge", "main").splitlines()
    assert touched(origin, denied) == {str(PRODUCTION.denied)}
    assert touched(origin, reverted) == {str(PRODUCTION.release), str(PRODUCTION.rendered)}
    [best] = {one for one in history.healthy(origin, PRODUCTION, "main") if one.version == "1.1.0"}
    assert git.show(origin, reverted, PRODUCTION.rendered) == git.show(origin, best.commit, PRODUCTION.rendered)
    assert [denial.version for denial in history.denied_at(origin, PRODUCTION, "main")] == ["1.1.1"]


def touched(origin: Path, commit: str) -> set[str]:
    """The files that a commit changed."""
    return set(git.git(origin, "diff", "--name-only", f"{commit}^", commit).splitlines())


def test_proposing_the_denied_delivery_again_is_refused(told: Told) -> None:
    """Act 5: the refusal names the delivery, the cause and the file."""
    assert "(1.1.1) is denied since" in told.output
    assert "manifests/releases/production/delays/denied.yaml" in told.output


def test_git_revert_rolls_back_without_a_failed_request(told: Told) -> None:
    """Act 6: production answers from 1.0.0 again, no request failed, and no pod was started for it."""
    assert told.report["facts"]["rollback"]["failed"] == 0
    text = git.show(told.stage.origin, "main", PRODUCTION.rendered)
    assert text is not None
    assert render.delivered(text)[1] == "1.0.0"
    events = told.events("production")
    applied = [event["time"] for event in events if event["event"] == "applied" and event["version"] == "1.0.0"]
    started = [event for event in events if event["event"] == "pod" and event["version"] == "1.0.0"]
    assert not [event for event in started if event["time"] >= applied[-1] and not event["ready"]]


def test_git_and_what_serves_are_equal(told: Told) -> None:
    """Act 7: what answered through Envoy, and the folders of the pods, are the releases that main holds."""
    for files in (STAGING, PRODUCTION):
        wanted = history.release_at(told.stage.origin, files, "main")
        assert wanted is not None
        assert told.report["facts"][files.environment] == {"answers": wanted.number, "pods": [wanted.artifact.md5]}


def test_without_the_fault_the_same_release_is_promoted(told: Told, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Act 5 with the fault switch off: the judge passes that very delivery and it becomes healthy in production."""
    stage = Stage(tmp_path_factory.mktemp("no-fault"))
    merge = git.git(told.stage.origin, "log", "--first-parent", "--format=%H", "--grep=promote-1.1.1", "main")
    subprocess.run(["git", "clone", "--quiet", "--bare", told.stage.origin, stage.origin], check=True)
    git.git(stage.origin, "update-ref", "refs/heads/main", f"{merge}^1")
    subprocess.run(["git", "clone", "--quiet", stage.origin, stage.clone], check=True)
    for name in (".venv", ".tools", "data"):
        if (told.stage.clone / name).exists():
            (stage.clone / name).symlink_to(told.stage.clone / name)
    story = Story(stage)
    try:
        moves.rehearse(story, "production")
        stage.wait("1.1.0 serves", lambda: completed(stage, "1.1.0"))
        moves.users(story)
        git.git(stage.origin, "update-ref", "refs/heads/main", merge)
        moves.healthy(story, "production", "1.1.1")
        assert moves.answered(story, PRODUCTION) == 1001001
    finally:
        stage.close()


def completed(stage: Stage, version: str) -> bool | None:
    """True once the rehearsal said that a version serves everyone."""
    events = stage.folder / "production" / "events.jsonl"
    return (
        True
        if events.exists() and f"{version} (" in events.read_text() and "serves everyone" in events.read_text()
        else None
    )


def test_a_story_that_does_not_go_as_told_ends_with_one_line(told: Told, tmp_path: Path) -> None:
    """An act that fails ends the demo with exit code 1 and one line, and ends what it started."""
    code = (
        "from scripts.demo import __main__ as demo, acts; demo.ACTS[:] = [acts.ledger]; raise SystemExit(demo.main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--folder", str(tmp_path / "stage")],
        cwd=told.stage.clone, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
