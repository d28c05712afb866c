"""What the segments gate says: harm in one segment is found and named, nothing is dropped, nothing passes unjudged."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fledge.checks import segments
from fledge.checks.parts import named, parts, unjudged
from fledge.evidence import Check, Verdict
from fledge.gates.rows import Rows
from fledge.problems import Problem
from fledge.stats import Array
from tests.tiny import owner
from tests.tiny.scored import chance, chances, changed, known, logit, minutes, table


def with_column(rows: Rows, **columns: Array) -> Rows:
    """The rows with more columns."""
    return replace(rows, columns=rows.columns | columns)


def over(*columns: str, **more: object) -> dict[str, object]:
    """Limits with those columns as segments, and `more` in the section of their check."""
    given = owner.limits()["segments"]
    return {"segments": given | {"columns": list(columns), "harm": given["harm"] | more}}


def spoilt(score: Array, where: Array) -> Array:
    """The scores, turned round where `where`."""
    return np.where(where, 1 - score, score)


def said(found: Check, **of: object) -> list[dict[str, object]]:
    """The details' segments that are like `of`."""
    return [one for one in found.details["segments"] if of.items() <= one.items()]


@pytest.fixture(scope="module")
def rows() -> Rows:
    """The tiny model's rows, each of one of twelve fleets: the first has nearly all, the last ones are small."""
    found = table()
    fleet = np.minimum(np.arange(len(found)) % 211 // 16, 11)
    return with_column(found, fleet=np.array([f"fleet {number:02}" for number in fleet], dtype=object))


@pytest.mark.parametrize("metric", ["auc", "log_loss"])
def test_harm_of_one_segment_is_found_and_named(tmp_path: Path, rows: Rows, metric: str) -> None:
    """A candidate that is turned round in one small segment is blocked for that segment, and for no other of its column."""
    limits = known(tmp_path, metrics=[metric], **over("fleet"))
    bad = rows.columns["fleet"] == "fleet 03"
    found = segments.harm(limits, rows, spoilt(chance(rows), bad), chance(rows))
    sign, side = ("-", "above -") if metric == "auc" else (r"\+", r"below \+")
    assert found.verdict is Verdict.BLOCK
    reason = rf"fleet fleet 03: {metric} {sign}\d\.\d+, expected {side}0\.02, p \d"
    assert re.fullmatch(reason + r"[\de.-]*", found.reason), found.reason
    assert "params.yaml: gates.segments.harm.margins" in found.remedy
    (worst,) = said(found, segment="fleet 03")
    assert (worst["n"], worst["judged"]) == (int(bad.sum()), True)
    assert (found.estimate, found.n) == (worst["estimate"], worst["n"])


def test_a_gain_elsewhere_does_not_pay_for_harm(tmp_path: Path, rows: Rows) -> None:
    """A candidate that is better overall is still blocked for the one segment that it harms."""
    bad, blunt = rows.columns["fleet"] == "fleet 03", chance(rows, scale=0.5)
    found = segments.harm(known(tmp_path, **over("fleet")), rows, spoilt(chance(rows), bad), blunt)
    assert found.verdict is Verdict.BLOCK
    assert {line.split(":")[0] for line in found.reason.split("; ")} == {"fleet fleet 03"}


def test_a_segment_that_is_too_small_is_pooled_named_and_judged_with_the_others_like_it(
    tmp_path: Path, rows: Rows
) -> None:
    """Segments with less than 50 positives or negatives are one more segment, `other`, and the reason lists them."""
    fleet = np.clip(np.arange(len(rows)) % 300, 0, 3)
    fleet[np.arange(len(rows)) % 900 == 2] = 4  # 0 and 1 have 72 rows, 2 has 48, 4 has 24
    many = with_column(rows, fleet=fleet)
    found = segments.harm(known(tmp_path, **over("fleet")), many, chance(many), chance(many))
    lost = [f"fleet {name} ({np.sum(rows.label[fleet == name])} positives, " for name in (0, 1, 2, 4)]
    assert all(words in found.reason for words in lost), found.reason
    assert {one["segment"] for one in said(found, judged=False)} == {"0", "1", "2", "4"}
    assert {one["segment"] for one in said(found, metric="auc")} == {"3", "other"}
    (rest,) = said(found, metric="auc", segment="other")
    assert rest["n"] == np.sum(fleet != 3)


def test_harm_of_the_pooled_is_found(tmp_path: Path, rows: Rows) -> None:
    """Twenty segments of 40 rows each cannot be judged one by one; turned round together they are, as `other`."""
    fleet = np.where(np.arange(len(rows)) % 27 == 0, np.arange(len(rows)) % 20 + 100, 0)
    many = with_column(rows, fleet=fleet)
    found = segments.harm(known(tmp_path, **over("fleet")), many, spoilt(chance(many), fleet > 0), chance(many))
    assert found.verdict is Verdict.BLOCK
    assert re.search(r"fleet other: auc -\d\.\d+, expected above -0\.02", found.reason), found.reason
    assert "not judged: fleet 100 (" in found.reason
    assert "and 12 more" in found.reason


def test_a_segment_without_positives_is_named(tmp_path: Path, rows: Rows) -> None:
    """Nobody late in a segment: it is not judged, and the reason says why; so for one cluster only, also of the late ones."""
    quiet = (rows.label == 0) & (np.arange(len(rows)) % 5 == 0)
    fleet = np.where(quiet, "quiet", np.where(np.arange(len(rows)) < 700, "first day", "rest")).astype(object)
    many = with_column(rows, fleet=fleet)
    found = segments.harm(known(tmp_path, **over("fleet")), many, chance(many), chance(many))
    assert found.verdict is Verdict.PASS
    assert "not judged: fleet first day (one cluster), fleet quiet (no positives)" in found.reason
    why = {one["segment"]: one["why"] for one in said(found, judged=False)}
    assert why == {"first day": "one cluster", "quiet": "no positives", "other": "all positives in one cluster"}


def test_a_column_of_which_no_segment_can_be_judged_is_inconclusive(tmp_path: Path, rows: Rows) -> None:
    """A row number is no segment: the pooled rest says nothing about any of its values, and the remedy says what would."""
    single = with_column(rows, ticket=np.arange(len(rows)))
    found = segments.harm(known(tmp_path, **over("origin", "ticket")), single, chance(rows), chance(rows))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.reason.startswith("no segment of ticket can be judged, expected at least one; not judged: ticket 0 (")
    assert "declare a coarser column (gates.segments.columns)" in found.remedy


def test_harm_elsewhere_blocks_though_a_column_cannot_be_judged(tmp_path: Path, rows: Rows) -> None:
    """What is known to be harmed is a BLOCK, whatever else is not known."""
    single = with_column(rows, ticket=np.arange(len(rows)))
    limits = known(tmp_path, **over("origin", "ticket"))
    assert segments.harm(limits, single, chance(rows, scale=-1.0), chance(rows)).verdict is Verdict.BLOCK


def restless(rows: Rows, seed: int) -> Array:
    """Chances with noise of their own in every row: as good as any other seed's, and seldom the same."""
    noisy: Array = 1 / (1 + np.exp(-logit(rows) - 0.5 * np.random.default_rng(seed).normal(size=len(rows))))
    return noisy


def seldom(rows: Rows) -> Rows:
    """The rows with one fleet that flies on two days alone, though often enough, and one for all the rest."""
    days = np.unique(rows.cluster)[:2]
    fleet = np.where(np.isin(rows.cluster, days) & (np.arange(len(rows)) % 2 == 0), "seldom", "often")
    return with_column(rows, fleet=fleet.astype(object))


def test_a_segment_that_could_not_show_its_harm_is_named_and_judged_with_others_like_it(
    tmp_path: Path, rows: Rows
) -> None:
    """Two clusters say next to nothing about their own spread: that no harm is shown there is no pass of that segment."""
    few = seldom(rows)
    found = segments.harm(known(tmp_path, **over("fleet")), few, chance(few, scale=0.95), chance(few))
    assert found.verdict is Verdict.PASS
    assert re.search(r"not judged: fleet seldom \(shows no harm below \d+\.\d margins\)$", found.reason), found.reason
    for name in ("seldom", "other"):
        (one,) = said(found, metric="log_loss", segment=name)
        assert one["n"] == np.sum(few.columns["fleet"] == "seldom")
        assert one["detectable"] > 5 * 0.02  # type: ignore[operator]
    assert said(found, metric="log_loss", segment="often")[0]["why"] == ""


def test_harm_that_is_shown_blocks_however_little_the_segment_could_show(tmp_path: Path, rows: Rows) -> None:
    """Damage widens a segment's own error; it must not buy a segment out of its judgement."""
    limits = known(tmp_path, **over("fleet", cap=1.01))
    bad = rows.columns["fleet"] == "fleet 03"
    found = segments.harm(limits, rows, spoilt(restless(rows, 1), bad), restless(rows, 2))
    assert found.verdict is Verdict.BLOCK
    assert found.reason.startswith("fleet fleet 03: ")
    assert "not judged: fleet fleet 00 (shows no harm below " in found.reason
    assert "fleet fleet 03 (" not in found.reason


def test_a_weak_segment_takes_no_shown_harm_away(tmp_path: Path, rows: Rows) -> None:
    """Harm is shown or not whatever another segment could show: a weak one adds no test to those that share alpha."""
    limits, few = known(tmp_path, **over("fleet")), seldom(rows)
    where = few.columns["fleet"] == "often"
    sound, weak = (
        segments.harm(limits, few, np.where(where, restless(few, 1), seldom_says), chance(few))
        for seldom_says in (chance(few), restless(few, 3))
    )
    assert ("not judged" in sound.reason, "not judged" in weak.reason) == (False, True)
    for metric in ("auc", "log_loss"):
        adjusted = [said(one, segment="often", metric=metric)[0]["holm"] for one in (sound, weak)]
        assert adjusted[1] <= adjusted[0]  # type: ignore[operator]


def test_a_column_of_which_no_segment_could_show_its_harm_is_inconclusive(tmp_path: Path, rows: Rows) -> None:
    """Enough rows, and yet none of the segments could fail: nothing passes for that."""
    found = segments.harm(known(tmp_path, **over("fleet", cap=1.01)), rows, restless(rows, 1), restless(rows, 2))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.reason.startswith(
        "no segment of fleet can be judged, expected at least one; not judged: fleet fleet 00 ("
    )


@pytest.mark.parametrize("scale", np.linspace(0.4, 0.9, 11).tolist())
def test_an_interval_beyond_its_margin_is_harm_that_blocks(tmp_path: Path, rows: Rows, scale: float) -> None:
    """Intervals hold all together, so a picture of them never shows a harm that the verdict does not."""
    ours = np.where(rows.columns["fleet"] == "fleet 00", chance(rows, scale=scale), chance(rows))
    found = segments.harm(known(tmp_path, **over("fleet")), rows, ours, chance(rows))
    judged = said(found, judged=True)
    beyond = [one["low"] > one["margin"] for one in judged if one["metric"] == "log_loss"]  # type: ignore[operator]
    beyond += [one["high"] < one["margin"] for one in judged if one["metric"] == "auc"]  # type: ignore[operator]
    assert sum(beyond) <= sum(bool(one["harmed"]) for one in judged)
    assert any(one["harmed"] for one in judged) == (found.verdict is Verdict.BLOCK)


def test_without_a_champion_segments_are_held_against_the_best_constant(tmp_path: Path, rows: Rows) -> None:
    """A first release passes where no segment is worse off than with a constant answer, and is blocked where one is."""
    limits, bad = known(tmp_path, **over("fleet")), rows.columns["fleet"] == "fleet 03"
    assert segments.harm(limits, rows, chance(rows), None).verdict is Verdict.PASS
    found = segments.harm(limits, rows, spoilt(chance(rows), bad), None)
    assert (found.verdict, found.unit) == (Verdict.BLOCK, "AUC")
    assert "fleet fleet 03: auc -0." in found.reason
    assert found.details["against"] == "constant"


def test_the_evidence_of_equal_models_can_be_written(tmp_path: Path, rows: Rows) -> None:
    """No detail is a number that JSON lacks, also where nothing differs and nothing can be judged."""
    single = with_column(rows, ticket=np.arange(len(rows)) // 100)
    found = segments.harm(known(tmp_path, **over("origin", "ticket")), single, chance(rows), chance(rows))
    assert json.loads(json.dumps(found.details, allow_nan=False))["segments"][0]["p"] == 1


def test_no_column_declared_is_said_and_an_absent_key_blocks(tmp_path: Path, rows: Rows) -> None:
    """`columns: []` passes by saying so; without the key nobody has decided, and with a column that rows lack nobody can."""
    found = segments.harm(known(tmp_path, **over()), rows, chance(rows), chance(rows))
    assert (found.verdict, found.n) == (Verdict.PASS, 0)
    assert found.reason == "no column declared (params.yaml: gates.segments.columns is [])"
    absent = owner.limits()["segments"]
    absent.pop("columns")
    with pytest.raises(
        Problem, match=r"segments: key is missing, expected columns, or \[\] for none \(.*segments.columns"
    ):
        segments.harm(known(tmp_path, segments=absent), rows, chance(rows), chance(rows))
    with pytest.raises(Problem, match="rows: no column tail, expected it"):
        segments.harm(known(tmp_path, **over("tail")), rows, chance(rows), chance(rows))


def test_a_metric_without_a_margin_blocks(tmp_path: Path, rows: Rows) -> None:
    """Every declared metric needs a margin for segments; what lacks it is named by file and key."""
    limits = known(tmp_path, **changed("segments", "harm", margins={"auc": 0.02}))
    with pytest.raises(
        Problem, match=r"harm.margins.log_loss: key is missing.*params.yaml: gates.segments.harm.margins"
    ):
        segments.harm(limits, rows, chance(rows), chance(rows))


def test_many_classes_and_numbers_have_segments_too(tmp_path: Path) -> None:
    """Three classes are judged by log-loss and accuracy, a regression by its losses; each finds the segment it harms."""
    rows = table("delay")
    bad = rows.columns["origin"] == "LGA"
    limits = known(tmp_path, **owner.THREE["limits"])
    turned = np.where(bad[:, None], chances(rows)[:, ::-1], chances(rows))
    found = segments.harm(limits, rows, turned, chances(rows))
    assert {line.split(",")[0].rsplit(" ", 1)[0] for line in found.reason.split("; ")} == {
        "origin LGA: log_loss",
        "origin LGA: accuracy",
    }
    rows = table("minutes")
    limits = known(tmp_path, **owner.MINUTES["limits"])
    found = segments.harm(limits, rows, minutes(rows) + 10 * bad, minutes(rows))
    assert found.verdict is Verdict.BLOCK
    assert {line.split(":")[0] for line in found.reason.split("; ")} == {"origin LGA"}


def test_where_the_champion_has_no_loss_a_loss_is_a_share_of_what_it_has_overall(tmp_path: Path) -> None:
    """A segment in which the champion is perfect can still be harmed, and nothing is divided by 0."""
    rows = table("minutes")
    bad = rows.columns["origin"] == "LGA"
    perfect = np.where(bad, rows.label, minutes(rows))
    limits = known(tmp_path, **owner.MINUTES["limits"])
    assert segments.harm(limits, rows, perfect, perfect).verdict is Verdict.PASS
    found = segments.harm(limits, rows, perfect + 5 * bad, perfect)
    assert found.reason.startswith("origin LGA: absolute_error +0.")


def test_equal_models_are_blocked_at_most_as_often_as_alpha_says(tmp_path: Path) -> None:
    """Of 300 pairs of equally good models, with margins near 0, at most 1 % are blocked for any of twelve trials."""
    keys = changed("segments", "harm", margins={"auc": 1e-9, "log_loss": 1e-9})
    keys["segments"]["columns"] = ["fleet"]
    limits, random, blocked = known(tmp_path, **keys), np.random.default_rng(5), 0
    cluster, fleet = np.arange(2400) % 60, np.arange(2400) // 60 % 6
    for _ in range(300):
        truth = random.normal(size=2400) + 0.5 * random.normal(size=60)[cluster]
        label = (random.uniform(size=2400) < 1 / (1 + np.exp(-truth))).astype(int)
        rows = Rows({}, label, cluster, {"fleet": fleet})
        ours, theirs = (1 / (1 + np.exp(-0.8 * truth - 0.5 * random.normal(size=2400))) for _ in range(2))
        blocked += segments.harm(limits, rows, ours, theirs).verdict is Verdict.BLOCK
    assert blocked <= 300 * 0.01 + 3 * np.sqrt(300 * 0.01)


def test_every_value_has_a_name() -> None:
    """Words, numbers, dates and what is missing become names in order; missing is one name, however it is written."""
    codes, names = named(np.array(["b", None, "a", float("nan"), "b"], dtype=object))
    assert (names, codes.tolist()) == (["(missing)", "a", "b"], [2, 0, 1, 0, 2])
    assert named(np.array([2.5, np.nan, np.nan, 1.0]))[1] == ["(missing)", "1.0", "2.5"]
    assert named(np.array(["2013-07-02", "NaT"], "datetime64[D]"))[1] == ["(missing)", "2013-07-02"]


def test_parts_hold_every_row_once(tmp_path: Path, rows: Rows) -> None:
    """What is judged, and what is pooled, are together all rows; `other` holds those that are pooled."""
    found = parts(known(tmp_path), rows, "fleet", 700)
    own, other = found[:-1], found[-1]
    assert sorted(np.concatenate([part.rows for part in own]).tolist()) == list(range(len(rows)))
    assert sorted(np.concatenate([part.rows for part in own if part.pooled]).tolist()) == other.rows.tolist()
    assert unjudged(own).count("negatives") == sum(part.pooled for part in own)
