"""The page shows every check and every figure, to everyone, and runs and fetches nothing."""

import re
from dataclasses import replace
from html import escape
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fledge.evidence import Check, Evidence, Verdict, page, wording
from tests import findings

BLOCKED = page.page(findings.judged())
FIRST = page.page(
    replace(
        findings.judged(*(one for one in findings.checks() if "higher_is_better" not in one.details)),
        champion=None,
    )
)
VOID = {"meta", "br", "hr", "img", "input", "link"}


class Seen(HTMLParser):
    """The elements of a page in order: tag, attributes and text beneath; and the tags that were closed wrongly."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember it."""
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """It must close what was opened last."""
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        """All that is read, without styles."""
        if "style" not in self.open:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of every element of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.mark.parametrize("html", [BLOCKED, FIRST], ids=["blocked", "first"])
def test_the_page_is_well_formed(html: str) -> None:
    """Every element is closed where it must be, and no two share an id."""
    seen = Seen(html)
    assert seen.wrong == seen.open == []
    ids = [attributes["id"] for _, attributes in seen.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_every_check_is_on_the_page() -> None:
    """Name, verdict, numbers, unit and reason of each check stand in one row."""
    rows = re.findall(r"<tr>\s*<th scope=\"row\">.*?</tr>", BLOCKED, re.DOTALL)
    texts = [" ".join(Seen(row).text.split()) for row in rows]
    for check in findings.checks():
        parts = [check.name, check.verdict, *filter(None, wording.numbers(check)), check.reason]
        assert [text for text in texts if text.startswith(check.name) and all(part in text for part in parts)], check


def test_what_to_do_comes_first() -> None:
    """Verdict, what blocks with its remedy and what warns are read before any figure."""
    text = Seen(BLOCKED).text
    before = text[: text.index("What the numbers look like")]
    for part in ("BLOCK", "2 of 48 checks block, 1 warns", "The limits of main judge", "Remedy", "quieter machine"):
        assert part in before
    assert before.index("regression.log_loss") < before.index("segments.harm") < before.index("latency.ratio")
    assert "(warning)" in before
    assert "What to do" not in page.page(findings.passing())


def test_every_figure_is_drawn() -> None:
    """Comparisons, segments, reliability, ratios by block and power are there when their numbers are."""
    titles = re.findall(r"<figure>\s*<h3>(.*?)</h3>", BLOCKED)
    assert titles == [
        "Candidate against champion",
        "Segments by auc",
        "Segments by log_loss",
        "Reliability",
        *(
            f"{name} by block"
            for name in ("latency.ratio", "resources.throughput", "resources.concurrency", "resources.cost")
        ),
        *(f"Power of regression.{name}" for name in ("log_loss", "auc", "anchor")),
    ]
    assert "not drawn" not in BLOCKED


def test_a_figure_without_numbers_says_why_it_is_left_out() -> None:
    """One sentence each, and no empty picture."""
    html = page.page(replace(findings.judged(Check("structural", "ops", Verdict.PASS, "fine")), champion=None))
    assert "<figure>" not in html
    for sentence in (
        "Candidate against champion: not drawn, because no check compares with a champion.",
        "Segments: not drawn, because no segment was judged: no columns are declared, or none has enough rows.",
        "Reliability: not drawn, because no check left a reliability curve.",
        "Latency by block: not drawn, because nothing was timed beside a champion.",
        "Power: not drawn, because no check left a power curve.",
    ):
        assert sentence in html


def test_scores_and_columns_are_tables() -> None:
    """What is reported and not judged, and what a check says of each column, are shown as they are."""
    group = {"group": "A", "n": 9, "candidate": {"rate": 0.5}, "champion": {"rate": None}}
    columns = [{"column": "visib", "fault": "missing", "share": 0.00125, "rows": 1234, "groups": [group]}]
    check = Check("data", "quality", Verdict.PASS, "fine", details={"columns": columns})
    scores, quality, groups = page.tables(findings.REPORT) + page.tables(check)
    assert scores.columns == ["score", "candidate", "champion"]
    assert scores.rows[2] == ["f1", "0.421", "–"]
    assert (quality.columns, quality.rows) == (
        ["column", "fault", "share", "rows"],
        [["visib", "missing", "0.00125", "1,234"]],
    )
    assert (groups.columns, groups.rows) == (
        ["group", "n", "candidate rate", "champion rate"],
        [["A", "9", "0.5", "–"]],
    )


@pytest.mark.parametrize("html", [BLOCKED, FIRST], ids=["blocked", "first"])
def test_the_page_needs_nothing_else(html: str) -> None:
    """No script, no address, no other file, no handler: it can be kept, mailed and opened without a network."""
    assert not re.search(
        r"https?:|//[a-z]|<script|javascript:|@import|url\(|\ssrc=|\shref=|\son\w+=", html, re.IGNORECASE
    )
    assert not {tag for tag, _ in Seen(html).elements} & {"script", "link", "img", "iframe", "object", "embed", "form"}
    assert "default-src 'none'; style-src 'unsafe-inline'" in html


STRANGERS = [
    "<script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "' autofocus onfocus='alert(1)",
    "</style></svg><h1>PASS</h1>",
    "{{ 7 * 7 }}{% raw %}",
]


@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_strangers_text_stays_text(stranger: str) -> None:
    """Whatever a candidate makes a check, a segment, a version or a note say is shown letter by letter."""
    check = Check(
        stranger, stranger, Verdict.BLOCK, stranger, stranger, 0.1, (0.0, 0.2), 0.05, 10, 0.1, stranger,
        details={
            "higher_is_better": False,
            "segments": [findings.segments().details["segments"][0] | {"segment": stranger, "column": stranger, "metric": stranger}],
            "scores": {stranger: {stranger: 1.0}},
            "columns": [{stranger: stranger}],
        },
    )  # fmt: skip
    name = {"name": stranger, "md5": stranger}
    evidence = Evidence(
        stranger, name, name, {stranger: stranger}, [check], {stranger: stranger}, {stranger: 1.0}, name,
        {stranger: stranger}, [stranger],
    )  # fmt: skip
    html = page.page(evidence)
    harmless = page.page(findings.judged(replace(check, gate="a", name="b", reason="c", remedy="d", unit="e")))
    assert (stranger in html) is (escape(stranger) == stranger)
    assert {tag for tag, _ in Seen(html).elements} <= {tag for tag, _ in Seen(harmless).elements}
    assert Seen(html).wrong == []
    assert not [key for _, attributes in Seen(html).elements for key in attributes if key.startswith(("on", "auto"))]
    assert stranger in Seen(html).text


def test_every_picture_is_told_to_who_cannot_see_it() -> None:
    """Each SVG is one image with a title, and a sentence that says what is to be seen on it; its numbers are a table."""
    pictures = re.findall(r"<svg.*?</svg>", BLOCKED, re.DOTALL)
    assert len(pictures) == len(re.findall("<summary>The numbers</summary>", BLOCKED)) == 11
    for picture in pictures:
        seen = Seen(picture)
        [svg] = seen.all("svg")
        assert svg["role"] == "img"
        [title], [description] = seen.all("title"), seen.all("desc")
        assert svg["aria-labelledby"] == f"{title['id']} {description['id']}"
        assert re.search(r"<desc[^>]*>[^<]{20,}</desc>", picture)


def test_every_header_says_what_it_heads() -> None:
    """Each th has its scope, and every part that scrolls can be reached by keyboard and has a name."""
    seen = Seen(BLOCKED)
    assert {attributes.get("scope") for attributes in seen.all("th")} == {"col", "row", "rowgroup"}
    scrolling = [attributes for attributes in seen.all("div") if attributes.get("class") == "scroll"]
    assert len(scrolling) == len(seen.all("table"))
    for attributes in scrolling:
        assert attributes["tabindex"] == "0"
        assert attributes["role"] == "region"
        assert attributes.get("aria-label") or attributes.get("aria-labelledby")


def test_a_phone_and_the_night_are_thought_of() -> None:
    """The page has the width of the device, scrolls its tables inside, and has dark colours."""
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in BLOCKED
    assert "@media (prefers-color-scheme: dark)" in BLOCKED
    assert ".scroll { overflow-x: auto;" in BLOCKED
    assert "overflow-wrap: anywhere" in BLOCKED


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb (WCAG 2.2)."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("text", "ground"),
    [
        *((text, ground) for text in ("text", "muted") for ground in ("ground", "surface", "raised")),
        *((kind, f"{kind}-ground") for kind in ("pass", "block", "unsure")),
        ("candidate", "surface"),
        ("candidate", "ground"),
    ],
)
def test_text_stands_out(mode: int, text: str, ground: str) -> None:
    """Every text has a contrast of 4.5 to 1 with what it stands on, by day and by night (WCAG 2.2, 1.4.3)."""
    block = re.findall(r":root \{(.*?)\}", BLOCKED, re.DOTALL)[mode]
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})\b", block))
    lighter, darker = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


@settings(deadline=None, derandomize=True, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from([check for check in findings.checks() if check.details]), st.data())
def test_details_of_any_kind_make_a_page(check: Check, data: st.DataObject) -> None:
    """Details that are not as documented leave a figure out; they never break the page."""
    details = dict(check.details)
    key = data.draw(st.sampled_from(sorted(details)))
    details[key] = data.draw(json_values | st.lists(json_values, max_size=3))
    html = page.page(findings.judged(replace(check, details=details)))
    assert Seen(html).wrong == []


finite = st.floats(-1e15, 1e15)


@settings(deadline=None, derandomize=True, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from([check for check in findings.checks() if check.details]),
    finite,
    st.tuples(finite, finite).map(sorted).map(tuple),
    finite,
    st.none() | st.integers(0, 10**9),
)
def test_numbers_of_any_size_make_a_page(
    check: Check, estimate: float, interval: tuple[float, float], margin: float, n: int | None
) -> None:
    """However far an estimate, an interval or a margin is off, the page is made."""
    odd = replace(check, estimate=estimate, interval=interval, margin=margin, n=n)
    assert check.name in page.page(findings.judged(odd))
