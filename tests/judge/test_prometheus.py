"""The judge's counts from Prometheus: what counts, restarts and late scrapes, and the same verdicts as by Envoy's counts."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import aiohttp
import numpy as np
import pytest
from aiohttp import web

from fledge.judge.evalues import Counts, Judgement
from fledge.judge.memory import Canary, Memory
from fledge.judge.prometheus import COUNT, LATENCY, POD_HASH, SETTLE, Prometheus, Watch, query, values
from fledge.rules import promql
from tests.conftest import ROOT
from tests.judged import judged
from tests.scraped import Scraped, Server, serving

WHO = Canary("production", "m", "aaa", "bbb")
EVERY = 15.0  # s between scrapes
START = 1_800_000_000.0
UNSCRAPED = "the pods have not been scraped since this weight began"


class Cluster:
    """One pod of each release, scraped on time while looks are made at a weight."""

    def __init__(self) -> None:
        self.now, self.prometheus, self.watch = START, Scraped(), Watch(WHO, EVERY)
        self.stable, self.canary = Server("m-model-aaa-1", "aaa"), Server("m-model-bbb-1", "bbb")
        self.pods = [self.stable, self.canary]
        for pod in self.pods:
            pod.probed()

    def scraped(self) -> None:
        """The next scrape, and time enough to see it."""
        self.prometheus.scrape(self.now, *self.pods)
        self.now += EVERY

    def look(self, weight: int = 5) -> Judgement:
        """What is said now, through the answer's JSON."""
        _, answer = self.prometheus.answer(
            "POST", {"query": query(WHO), "time": str(self.watch.moment(weight, self.now))}
        )
        return self.watch.look(values(answer), 0.01)

    def begun(self, weight: int = 5) -> "Cluster":
        """The same when the weight's counts have begun: a look, and scrapes until one is in."""
        self.scraped()
        while self.look(weight).reason == UNSCRAPED:
            self.scraped()
        return self


def test_the_query_asks_for_what_is_exported() -> None:
    """It is PromQL, of series and labels that the stand-in's page and its target have, under the rules' names for them."""
    asked = query(WHO)
    assert promql.syntax(asked) is None
    assert list(promql.unknown(asked)) == []
    assert {selector.name for selector in promql.selectors(asked)} == {COUNT, LATENCY}
    assert POD_HASH == promql.POD_HASH


def test_no_rate_is_asked_for() -> None:
    """Of both series the last raw value is asked for, with nothing that would miss a first error."""
    called = {one.func.name for one in promql.parts(query(WHO)) if hasattr(one, "func")}
    assert called == {"last_over_time"}


def test_probes_are_no_requests() -> None:
    """An idle canary stays inconclusive however long it is probed; predictions by REST and gRPC count, once each."""
    cluster = Cluster().begun()
    cluster.canary.probed(900)
    cluster.scraped()
    idle = cluster.look()
    assert (idle.verdict, idle.canary, idle.e_clean) == ("inconclusive", Counts(), pytest.approx(1))
    assert "no request reached the canary" in idle.reason
    cluster.canary.predicted(7)
    cluster.canary.failed(2)
    cluster.scraped()
    assert cluster.look().canary == Counts(9, 2)


@pytest.mark.parametrize("status", ["INTERNAL", "INVALID_ARGUMENT", "NOT_FOUND", "UNAVAILABLE", "RESOURCE_EXHAUSTED"])
def test_every_status_but_ok_is_bad(status: str) -> None:
    """As at Envoy, a 4xx is bad too; and the first error of a status that had no series counts."""
    cluster = Cluster().begun()
    cluster.canary.failed(1, status)
    cluster.scraped()
    assert cluster.look().canary == Counts(1, 1)


def test_other_pods_do_not_count() -> None:
    """Pods of another hash, model or namespace are nobody's evidence."""
    cluster = Cluster()
    others = [
        Server("other", "ccc"),
        Server("other", "bbb", model="n"),
        Server("other", "bbb", namespace="staging"),
    ]
    cluster.pods += others
    cluster.begun()
    for one in others:
        one.predicted(50)
        one.failed(50)
    cluster.scraped()
    found = cluster.look()
    assert (found.canary, found.stable) == (Counts(), Counts())


def test_what_came_before_does_not_count() -> None:
    """What both releases answered before the first look, at weight 0 or as an earlier canary, is no evidence."""
    cluster = Cluster()
    cluster.canary.predicted(500)
    cluster.stable.failed(300)
    cluster.begun()
    cluster.canary.failed(3)
    cluster.scraped()
    found = cluster.look()
    assert (found.canary, found.stable) == (Counts(3, 3), Counts())


def test_a_restart() -> None:
    """A container that starts again counts from 0: what it counted before stays, what comes after is added."""
    cluster = Cluster().begun()
    cluster.canary.predicted(30)
    cluster.canary.failed(4)
    cluster.scraped()
    assert cluster.look().canary == Counts(34, 4)
    cluster.canary.restarted()
    cluster.canary.predicted(6)
    cluster.canary.failed(2)
    cluster.scraped()
    assert cluster.look().canary == Counts(42, 6)


def test_a_new_pod_counts_from_its_start_and_a_lost_one_keeps_its_counts() -> None:
    """When the autoscaler adds a pod everything that it answers counts, and what a pod did before it went still does."""
    cluster = Cluster().begun()
    cluster.stable.failed(5)
    cluster.scraped()
    cluster.pods = [Server("m-model-aaa-2", "aaa"), cluster.canary]
    cluster.pods[0].predicted(8)
    cluster.scraped()
    assert cluster.look().stable == Counts(13, 5)
    for _ in range(50):  # longer than Prometheus is asked to look back
        cluster.scraped()
        assert cluster.look().stable == Counts(13, 5)


def test_two_looks_between_scrapes_see_the_same() -> None:
    """Looks are more frequent than scrapes: the second finds the same counts, the same E-values and adds nothing."""
    cluster = Cluster().begun()
    cluster.canary.failed(2)
    cluster.stable.predicted(40)
    cluster.scraped()
    first = cluster.look()
    cluster.now += 5
    assert cluster.look() == first
    assert first.canary == Counts(2, 2)


def test_the_next_weight_begins_when_its_scrapes_are_in() -> None:
    """What is scraped after a weight's first look but happened before counts for E_clean, and for no E-value of shares."""
    cluster = Cluster().begun()
    cluster.canary.predicted(90)
    cluster.scraped()
    cluster.look(5)
    cluster.canary.failed(3)
    cluster.canary.predicted(7)
    cluster.stable.failed(40)
    waiting = cluster.look(25)
    assert (waiting.verdict, waiting.reason) == ("inconclusive", UNSCRAPED)
    cluster.begun(25)
    found = cluster.look(25)
    assert (found.canary, found.stable, found.e_worse) == (Counts(100, 3), Counts(), pytest.approx(1))
    assert found.e_safe == pytest.approx(1)


@pytest.mark.parametrize("label", ["", "another"])
def test_a_hash_that_nobody_scrapes(label: str) -> None:
    """Where the pod's label is no target label, or a release has no pod, it is inconclusive and says which is missing."""
    cluster = Cluster()
    cluster.pods = [Server("m-model-aaa-1", "aaa"), Server("m-model-bbb-1", label)]
    for pod in cluster.pods:
        pod.probed()
        pod.predicted(900)
    for _ in range(5):
        cluster.scraped()
        found = cluster.look()
        assert (found.verdict, found.canary) == ("inconclusive", Counts())
        assert found.reason == f"Prometheus knows no pod with {POD_HASH} bbb"


def test_a_prometheus_that_comes_back_empty() -> None:
    """Counters that are old when Prometheus shows them first are no evidence: a stable release does not fail at once."""
    cluster = Cluster()
    cluster.stable.failed(1000)
    cluster.now += EVERY
    empty = cluster.look()
    assert empty.reason == f"Prometheus knows no pod with {POD_HASH} aaa, bbb"
    cluster.begun()
    found = cluster.look()
    assert (found.stable, found.e_safe, found.verdict) == (Counts(), pytest.approx(1), "inconclusive")


def test_a_missed_scrape() -> None:
    """A pod that was not scraped for some minutes is taken up where it was left."""
    cluster = Cluster().begun()
    cluster.stable.failed(5)
    cluster.pods = [cluster.canary]
    for _ in range(8):
        cluster.scraped()
        assert cluster.look().stable == Counts()
    cluster.pods = [cluster.stable, cluster.canary]
    cluster.scraped()
    assert cluster.look().stable == Counts(5, 5)


def test_a_clock_that_goes_back() -> None:
    """No look asks for a moment before an earlier one's: older counters would look like a restart."""
    watch = Watch(WHO, EVERY)
    asked = [
        watch.moment(weight, START + late) for weight, late in [(5, 0), (5, 40), (5, 31), (25, 32), (25, 20), (5, 0)]
    ]
    assert asked == sorted(asked)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"status": "error", "errorType": "timeout", "error": "query timed out"}, "timeout: query timed out"),
        ({"status": "success", "data": {"resultType": "matrix", "result": []}}, "a matrix, expected a vector"),
        ({"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}}]}}, "KeyError('value')"),
        (
            {"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "NaN"]}]}},
            "NaN",
        ),
        (["success"], "not an answer of Prometheus' HTTP API"),
    ],
)
def test_what_is_no_answer(answer: Any, reason: str) -> None:
    """An answer without counters is an error with its reason, never a verdict from nothing."""
    with pytest.raises(aiohttp.ClientPayloadError) as error:
        values(answer)
    assert reason in str(error.value)


def test_a_long_silence_begins_afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """A canary that nobody looked at for ten minutes is forgotten: its counts begin again."""
    now = START
    monkeypatch.setattr(time, "time", lambda: now)
    servers = [Server("m-model-aaa-1", "aaa"), Server("m-model-bbb-1", "bbb")]

    async def story() -> None:
        nonlocal now
        async with serving(Scraped()) as scraped, aiohttp.ClientSession() as session:
            source = Prometheus(scraped.url, EVERY)

            async def look(after: float) -> Judgement:
                nonlocal now
                now += after
                scraped.scrape(now - SETTLE, *servers)
                return await source.look(session, WHO, 5, 0.01)

            for server in servers:
                server.probed()
            assert (await look(0)).reason == UNSCRAPED
            assert "no request reached the canary" in (await look(EVERY + SETTLE)).reason
            servers[1].failed(9)
            assert (await look(EVERY)).canary == Counts(9, 9)
            assert (await look(601)).reason == UNSCRAPED
            assert (await look(EVERY + SETTLE)).canary == Counts()
            assert {method for method, _, _ in scraped.asked} == {"POST"}

    asyncio.run(story())


def test_the_same_verdicts_as_by_envoys_counts() -> None:
    """Over HTTP a good canary passes and a bad one fails, each with the E-values that equal counts at Envoy give."""

    def by_envoy(canary: Counts, stable: Counts) -> dict[str, Any]:
        memory, service = Memory(), WHO.service
        memory.sample({service("canary"): Counts(), service("stable"): Counts()})
        memory.look(WHO, 5, 0.01, at=0)
        memory.notice({service("canary"): canary, service("stable"): stable})
        return {"status": 200, **asdict(memory.look(WHO, 5, 0.01, at=1))}

    stable, canary = Server("m-model-aaa-1", "aaa"), Server("m-model-bbb-1", "bbb")

    async def story() -> None:
        async with serving(Scraped()) as scraped:
            words = (f"--prometheus={scraped.url}/", "--scrape-interval=0.2")

            async with judged(*words) as ask, asyncio.timeout(60):

                async def until(seen: Callable[[Mapping[str, Any]], bool]) -> dict[str, Any]:
                    while True:
                        scraped.scrape(time.time(), stable, canary)
                        if seen(found := await ask()):
                            return found
                        await asyncio.sleep(0.1)

                for server in (stable, canary):
                    server.probed(5)
                first = await until(lambda found: POD_HASH not in found["reason"])
                assert (first["verdict"], first["reason"]) == ("inconclusive", UNSCRAPED)
                await until(lambda found: "no request" in found["reason"])
                canary.predicted(400)
                stable.predicted(7596)
                stable.failed(4)
                good = await until(lambda found: found["canary"]["requests"] + found["stable"]["requests"] == 8000)
                assert good == by_envoy(Counts(400, 0), Counts(7600, 4))
                assert good["verdict"] == "pass"
                canary.failed(9)
                bad = await until(lambda found: found["canary"]["bad"] > 0)
                assert bad == by_envoy(Counts(409, 9), Counts(7600, 4))
                assert bad["verdict"] == "fail"

    asyncio.run(story())


@pytest.mark.parametrize("status", [None, 502, 503])
def test_no_verdict_without_prometheus(status: int | None) -> None:
    """Unreachable, behind a proxy that says so, or refusing the query: 503 with a reason, as without Envoy."""

    async def refuse(_: web.Request) -> web.Response:
        if status == 502:
            return web.Response(status=status, text="<html>", content_type="text/html")
        return web.json_response({"status": "error", "errorType": "timeout", "error": "too slow"}, status=503)

    async def story() -> None:
        application = web.Application()
        application.router.add_post("/api/v1/query", refuse)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1] if status else 1
        async with judged(f"--prometheus=http://127.0.0.1:{port}") as ask:
            absent = await ask()
            assert absent["status"] == 503
            assert "judge: Prometheus does not answer" in absent["error"]
            assert ("too slow" in absent["error"]) == (status == 503)
            assert "verdict" not in absent
        await runner.cleanup()

    asyncio.run(story())


def simulated(rng: np.random.Generator, ratio: float, interval: float) -> str:
    """The verdict within ten minutes on a canary that fails `ratio` times as often as stable, judged by this interval.

    5 % of 1,000 requests a second, of which 2 % fail at stable; two pods each, scraped each EVERY seconds at offsets of
    their own; a look each 10 s.
    """
    watch = Watch(WHO, interval)
    pods = [("aaa", 475.0, 0.02)] * 2 + [("bbb", 25.0, 0.02 * ratio)] * 2
    counted = [
        (pod_hash, *(rng.poisson(rate * part, 660).cumsum() for part in (1 - share, share)), rng.uniform(0, EVERY))
        for pod_hash, rate, share in pods
    ]

    def at(moment: float) -> dict[frozenset[tuple[str, str]], int]:
        found = {}
        for number, (pod_hash, good, bad, offset) in enumerate(counted):
            last = int((moment - offset) // EVERY * EVERY + offset)  # the pod's last scrape
            pod = {POD_HASH: pod_hash, "pod": str(number)}
            found[frozenset({**pod, "API": "Predict"}.items())] = int(good[last])
            found[frozenset({**pod, "status": "INTERNAL"}.items())] = int(bad[last])
        return found

    looks = (watch.look(at(watch.moment(5, now)), 0.01).verdict for now in np.arange(30.0, 600.0, 10.0))
    return next((verdict for verdict in looks if verdict != "inconclusive"), "inconclusive")


@pytest.mark.parametrize(("ratio", "wrong", "right"), [(1, "fail", "pass"), (3, "pass", "fail"), (5, "pass", "fail")])
def test_scrapes_at_different_moments_make_no_verdict(ratio: float, wrong: str, right: str) -> None:
    """Counted for equally long the verdict keeps its promise (α = 1 %, β = 5 %); counted as scraped it would not.

    An interval near 0 counts as scraped: a twin of the judge that the test must see go wrong more often. How often is
    what docs/delivery.md says.
    """
    runs = 400
    aligned, scraped = (
        Counter(simulated(rng, ratio, interval) for rng in map(np.random.default_rng, range(runs)))
        for interval in (EVERY, 1e-3)
    )
    promised = 0.01 if wrong == "fail" else 0.05
    assert aligned[wrong] <= runs * promised + 3 * (runs * promised * (1 - promised)) ** 0.5
    assert aligned[right] >= 0.95 * runs
    assert scraped[wrong] > aligned[wrong]
    told = {1: f"aborted {scraped[wrong]} of {runs} equal", 3: f"passed {scraped[wrong]} of {runs} that failed three"}
    assert told.get(ratio, "") in (ROOT / "docs" / "delivery.md").read_text()


@pytest.mark.parametrize(
    ("given", "status", "kind"),
    [
        ({"query": query(WHO), "time": "1800000000.000"}, 200, None),
        ({"time": "1800000000"}, 400, "bad_data"),
        ({"query": "sum(", "time": "1800000000"}, 400, "bad_data"),
        ({"query": query(WHO), "time": "noon"}, 400, "bad_data"),
        ({"query": f"rate({COUNT}[5m])", "time": "1800000000"}, 422, "execution"),
    ],
)
def test_the_prometheus_of_the_tests_is_strict(given: Mapping[str, str], status: int, kind: str | None) -> None:
    """It answers what the HTTP API documents: a vector of strings, or a code with an errorType; a rate it does not know."""
    scraped, server = Scraped(), Server("m-model-aaa-1", "aaa")
    server.predicted(2_001)
    scraped.scrape(START, server)
    code, body = scraped.answer("GET", given)
    assert (code, body.get("errorType")) == (status, kind)
    if kind is None:
        assert [one["value"] for one in body["data"]["result"]] == [[START, "2001"], [START, "1001"], [START, "1000"]]
