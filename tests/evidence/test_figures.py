"""What the page draws: comparisons on one axis of margins, and shapes that stay inside of their picture."""

from dataclasses import replace
from math import log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fledge.evidence import Check, Verdict, details, figures, plots, shapes
from fledge.evidence.details import Bin, Sensitivity
from fledge.evidence.plots import Interval
from fledge.evidence.shapes import Shape
from tests import findings

COMPARED = Check(
    "regression", "auc", Verdict.PASS, "fine", "", -0.005, (-0.008, -0.002), -0.01, 100, 0.004, "AUC", details={"higher_is_better": True}
)  # fmt: skip
LOSS = replace(COMPARED, estimate=0.02, interval=(0.01, 0.03), margin=0.01, details={"higher_is_better": False})
TIMES = replace(COMPARED, estimate=1.05, interval=(1.0, 1.15), margin=1.1, details={"blocks": [1.0, 1.1]})
ROWS = replace(COMPARED, estimate=0.95, interval=(0.9, 1.0), margin=0.9, details={"blocks": [1.0, 0.9]})


@pytest.mark.parametrize(
    ("check", "found"),
    [
        (COMPARED, (0.5, 0.2, 0.8)),
        (LOSS, (2.0, 1.0, 3.0)),
        (TIMES, (0.5, 0.0, 1.5)),
        (ROWS, (0.5, 0.0, 1.0)),
        (replace(TIMES, details={"equal": 1}), (0.5, 0.0, 1.5)),
        (replace(COMPARED, details={"equal": 0}), (0.5, 0.2, 0.8)),
    ],
    ids=[
        "a score fell by half its margin",
        "a loss rose by two",
        "slower by half",
        "fewer rows a second by half",
        "a ratio that says so",
        "a difference that says so",
    ],
)
def test_comparisons_share_an_axis(check: Check, found: tuple[float, float, float]) -> None:
    """In margins to the bad side: 0 is as good as the champion, 1 the margin, whichever way better lies."""
    assert details.in_margins(check) == pytest.approx(found)


@pytest.mark.parametrize(
    "check",
    [
        replace(COMPARED, details={}),
        replace(COMPARED, estimate=None),
        replace(COMPARED, interval=None),
        replace(COMPARED, margin=None),
        replace(COMPARED, margin=0.0),
        replace(COMPARED, margin=0.01),
        replace(TIMES, margin=1.0),
    ],
    ids=["no comparison", "no estimate", "no interval", "no margin", "margin 0", "an improvement asked for", "ratio 1"],
)
def test_what_has_no_margin_on_the_bad_side_is_not_on_that_axis(check: Check) -> None:
    """Nothing is divided by zero, and a floor that asks for an improvement is not drawn as a loss."""
    assert details.in_margins(check) is None


def test_a_comparison_that_cannot_be_drawn_is_named() -> None:
    """The caption names what is missing on the axis."""
    [figure] = figures.comparisons([COMPARED, replace(COMPARED, name="floor", margin=0.0)])
    assert "Not on this axis, for want of a margin on the bad side: regression.floor." in figure.caption
    assert [row[0] for row in figure.rows] == ["regression.auc"]


def test_what_is_seen_is_told_in_words() -> None:
    """Who cannot see the picture learns which comparisons lie beyond the margin and which across it."""
    across = replace(COMPARED, name="across", estimate=-0.01, interval=(-0.02, -0.001))
    beyond = replace(LOSS, name="beyond", interval=(0.011, 0.03))
    [figure] = figures.comparisons([COMPARED, across, beyond])
    assert figure.seen == (
        "3 comparisons; beyond the margin: regression.beyond; across it: regression.across; the others within."
    )


def test_segments_are_worst_first_by_metric() -> None:
    """One forest for each metric; the numbers hold all, also who was too small to be judged and why."""
    by_auc, by_loss = figures.segments([findings.segments()])
    assert (by_auc.title, by_loss.title) == ("Segments by auc", "Segments by log_loss")
    assert by_auc.rows[0][0] == "carrier C"
    assert by_auc.seen == "12 segments; shown beyond the margin: carrier C."
    assert [row[0] for row in by_auc.rows[-3:]] == [f"carrier X{n}: 12 positives, 28 negatives" for n in (1, 2, 3)]
    assert "3 are too small to be judged: see the numbers." in by_auc.caption


@pytest.mark.parametrize(
    ("estimate", "low", "harmed", "beyond"),
    [(-0.05, -0.07, False, "none"), (-0.03, -0.05, True, "carrier one"), (-0.05, -0.07, None, "carrier one")],
    ids=["beyond, but not among so many", "across, and shown all the same", "evidence that does not say"],
)
def test_a_segment_is_drawn_as_its_check_judged_it(
    estimate: float, low: float, harmed: bool | None, beyond: str
) -> None:
    """What blocks is decided over all tests at once; an interval that stands for itself decides in older evidence only."""
    one = {"column": "carrier", "segment": "one", "metric": "auc", "n": 90, "judged": True, "margin": -0.02}
    one |= {"estimate": estimate, "low": low, "high": 2 * estimate - low, "harmed": harmed}
    [figure] = figures.segments([replace(findings.segments(), details={"segments": [one]})])
    assert figure.seen == f"1 segments; shown beyond the margin: {beyond}."


def test_many_segments_are_cut_and_said_to_be() -> None:
    """A figure draws the worst thirty and says how many there are; its numbers hold all."""
    check = findings.segments()
    one = check.details["segments"][0]
    many = [one | {"segment": f"s{number}", "estimate": number / 1000} for number in range(40)]
    [figure] = figures.segments([replace(check, details={"segments": many})])
    assert "Drawn are the first 30 of 40." in figure.caption
    assert len(figure.rows) == 40
    assert sum(shape.attributes["class"].startswith("label") for shape in figure.shapes) == 30


def test_power_says_from_how_many_rows_on_the_margin_is_seen() -> None:
    """The least number of rows whose smallest detectable effect is within the margin, or that there is none."""
    curve = [{"rows": 100, "detectable": 0.02}, {"rows": 400, "detectable": 0.01}, {"rows": 1600, "detectable": 0.005}]
    [enough] = figures.power([replace(COMPARED, details={"power": curve})])
    [none] = figures.power([replace(COMPARED, margin=-0.001, details={"power": curve})])
    assert enough.seen == "The margin 0.01 is detectable with 400 rows."
    assert none.seen == "The margin 0.001 is detectable with none of these numbers of rows."


def test_reliability_names_its_worst_bin() -> None:
    """In words: where the candidate is furthest from what it predicts. Without a champion the caption says so."""
    bins = [{"predicted": 0.1, "observed": 0.11, "low": None, "high": None, "n": 5}, {"predicted": 0.5, "observed": 0.7, "low": 0.6, "high": 0.8, "n": 5}]  # fmt: skip
    [figure] = figures.reliability([replace(COMPARED, details={"reliability": bins, "champion": []})])
    assert figure.seen == "The candidate is furthest off where it predicts 0.5: 0.7 observed."
    assert figure.caption.endswith("There is no champion's curve.")


def of(kind: str, found: list[Shape]) -> list[Shape]:
    """The shapes that mean `kind`."""
    return [shape for shape in found if kind in str(shape.attributes["class"]).split()]


def test_an_interval_stands_where_its_numbers_say() -> None:
    """Half a margin lies halfway between the upright of 0 and that of the margin; a block is a diamond, a doubt hollow."""
    kinds = ("pass", "unsure", "block")
    _, found = plots.intervals([Interval(kind, 0.5, 0.0, 1.0, kind) for kind in kinds])
    [even], [margin] = of("axis", found), of("margin", found)
    zero, one = float(even.attributes["x1"]), float(margin.attributes["x1"])
    for kind in kinds:
        [bar] = of("bar", of(kind, found))
        assert (bar.attributes["x1"], bar.attributes["x2"]) == (zero, one)
    good, doubt, bad = (of("dot", of(kind, found))[0] for kind in kinds)
    assert good.attributes["cx"] == doubt.attributes["cx"] == pytest.approx((zero + one) / 2, abs=0.1)
    assert (good.tag, doubt.tag, bad.tag) == ("circle", "circle", "polygon")


def test_what_goes_on_beyond_the_picture_has_an_arrow() -> None:
    """An interval that is cut shows on which side; one that is not has no arrow."""
    _, found = plots.intervals([Interval("cut", 0.0, -9.0, 9.0, "pass"), Interval("whole", 0.0, -1.0, 1.0, "pass")])
    assert len(of("arrow", found)) == 2


def test_an_estimate_beyond_the_picture_says_how_far_it_is() -> None:
    """Fourteen margins away: a head at the edge and the number, not a dot as if it were there."""
    _, found = plots.intervals(
        [Interval("far", 14.2, 11.0, 17.0, "block"), Interval("good", -30.0, -40.0, -20.0, "pass")]
    )
    assert [shape.text for shape in of("strong", found)] == ["margin", "14.2", "-30"]
    assert [shape.tag for shape in of("far", found)] == ["polygon", "polygon"]
    assert of("dot", found) == []


def test_the_power_curve_falls_and_marks_the_rows_there_are() -> None:
    """Fourfold rows are equally far apart (logarithmic), and the label of the rows there are is strong."""
    points = [Sensitivity(100, 0.04), Sensitivity(400, 0.02), Sensitivity(1600, 0.01)]
    _, found = plots.power(points, 0.03, 400)
    places = [tuple(map(float, one.split(","))) for one in str(of("curve", found)[0].attributes["points"]).split()]
    (x1, y1), (x2, y2), (x3, y3) = places
    assert x3 - x2 == pytest.approx(x2 - x1, abs=0.2)
    assert y1 < y2 < y3
    assert [shape.text for shape in of("strong", found)] == ["margin", "400"]
    assert log(400 / 100) == log(1600 / 400)


bounded = st.floats(-1e12, 1e12)
bins = st.builds(Bin, bounded, bounded, st.none() | bounded, st.none() | bounded, st.integers(0, 10**9))


def inside(height: float, found: list[Shape]) -> bool:
    """Whether every corner lies in the picture."""
    for shape in found:
        numbers = {key: float(value) for key, value in shape.attributes.items() if key not in ("class", "points")}
        xs = [value for key, value in numbers.items() if key in ("x", "x1", "x2", "cx")]
        ys = [value for key, value in numbers.items() if key in ("y", "y1", "y2", "cy")]
        for point in str(shape.attributes.get("points", "")).split():
            x, y = map(float, point.split(","))
            xs, ys = [*xs, x], [*ys, y]
        xs += [numbers["x"] + numbers["width"]] if "width" in numbers else []
        ys += [numbers["y"] + numbers["height"]] if "height" in numbers else []
        if min(xs) < 0 or max(xs) > plots.WIDTH + 0.1 or min(ys) < 0 or max(ys) > height:
            return False
    return True


@settings(deadline=None, derandomize=True, max_examples=100)
@given(
    st.lists(
        st.builds(Interval, st.text(max_size=40), bounded, bounded, bounded, st.just("pass")), min_size=1, max_size=5
    )
)
def test_intervals_stay_inside(rows: list[Interval]) -> None:
    """Whatever the numbers, nothing is drawn outside of the picture."""
    assert inside(*plots.intervals(rows))


@settings(deadline=None, derandomize=True, max_examples=100)
@given(st.lists(bins, min_size=1, max_size=4), st.lists(bins, min_size=1, max_size=4))
def test_curves_stay_inside(ours: list[Bin], theirs: list[Bin]) -> None:
    """Whatever the numbers, nothing is drawn outside of the picture."""
    assert inside(*plots.curves({"candidate": ours, "champion": theirs}))


@settings(deadline=None, derandomize=True, max_examples=100)
@given(st.lists(bounded, min_size=1, max_size=5), st.tuples(bounded, bounded), bounded)
def test_blocks_stay_inside(ratios: list[float], interval: tuple[float, float], margin: float) -> None:
    """Whatever the numbers, nothing is drawn outside of the picture."""
    low, high = sorted(interval)
    assert inside(*plots.blocks(ratios, (low, high), margin))


@settings(deadline=None, derandomize=True, max_examples=100)
@given(
    st.lists(st.builds(Sensitivity, st.floats(1, 1e12), st.floats(0, 1e12)), min_size=1, max_size=5), st.floats(0, 1e12)
)
def test_power_curves_stay_inside(points: list[Sensitivity], margin: float) -> None:
    """Whatever the numbers, nothing is drawn outside of the picture."""
    assert inside(*plots.power(points, margin, None))


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 1.0, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0.93, 1.12, [0.95, 1.0, 1.05, 1.1]),
        (-7.0, 12.0, [-5.0, 0.0, 5.0, 10.0]),
    ],
)
def test_ticks_are_round_numbers(low: float, high: float, expected: list[float]) -> None:
    """Steps of 1, 2 or 5 times a power of ten."""
    assert shapes.ticks(low, high) == pytest.approx(expected)


@pytest.mark.parametrize(("count", "shown"), [(400, "400"), (4020, "4.02k"), (128_636, "129k"), (2e6, "2M")])
def test_many_rows_have_a_short_label(count: float, shown: str) -> None:
    """Thousands and millions by their letter."""
    assert shapes.thousands(count) == shown
