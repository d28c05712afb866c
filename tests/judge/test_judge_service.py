"""The judge over HTTP: against an admin interface that is made up, and against real Envoy."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Mapping
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from fledge.judge import counts, envoy, service
from fledge.judge.evalues import Counts
from fledge.judge.memory import Memory
from fledge.judge.service import question
from fledge.problems import Problem
from fledge.rehearsal.gateway import Gateway
from tests.judged import QUERY, judged
from tests.upstreams import METADATA, SERVICES, Client, Pod, endpoints, route, routes


def exposition(series: Mapping[tuple[str, int, str, str], int]) -> str:
    return "# TYPE envoy_fledge_requests counter\n" + "\n".join(
        f'envoy_fledge_requests{{backend="{backend}",code="{code}",grpc="{grpc}",flags="{flags}"}} {count}'
        for (backend, code, grpc, flags), count in series.items()
    )


def test_rest_and_grpc_are_summed() -> None:
    """A Service's counts are the sum of its ports, whatever the code; names may hold underscores' neighbours."""
    text = exposition(
        {
            ("a_m-canary_rest", 200, "", "-"): 90,
            ("a_m-canary_rest", 503, "", "UC"): 5,
            ("a_m-canary_grpc", 200, "0", "-"): 40,
            ("a_m-canary_grpc", 200, "13", "-"): 3,
            ("a_m-stable_grpc", 200, "0", "-"): 7,
        }
    )
    assert counts.totals(text) == {"a_m-canary": Counts(138, 8), "a_m-stable": Counts(7, 0)}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"weight": "0"}, "weight is 0, expected a whole percentage from 1 to 100"),
        ({"weight": "5.5"}, "weight is 5.5, expected a whole percentage"),
        ({"weight": "much"}, "weight is much, expected a whole percentage"),
        ({"error-ratio": "0"}, "error-ratio is 0, expected a number between 0 and 1"),
        ({"error-ratio": ""}, "error-ratio is , expected a number between 0 and 1"),
        ({"model": ""}, "model is missing, expected a name"),
        ({"canary": 'bbb"}'}, 'canary is bbb"}, expected a name'),
    ],
)
def test_bad_query(changed: dict[str, str], reason: str) -> None:
    """Every wrong parameter has a line that names it, what was found and what was expected."""
    with pytest.raises(Problem) as problem:
        question(QUERY | changed)
    assert [reason in line for line in problem.value.lines] == [True]


def test_no_verdict_without_query_or_envoy() -> None:
    """A bad query is 400 with one line of JSON; without Envoy there is no verdict, not even inconclusive, but 503."""

    async def story() -> None:
        async with judged("--envoy=http://127.0.0.1:1") as ask:
            bad = await ask(weight="0", model="")
            assert bad["status"] == 400
            assert "model is missing" in bad["error"]
            assert "weight is 0" in bad["error"]
            assert "\n" not in bad["error"]
            absent = await ask()
            assert absent["status"] == 503
            assert "Envoy does not answer" in absent["error"]
            assert "verdict" not in absent

    asyncio.run(story())


def test_verdicts_from_made_up_counters() -> None:
    """The service reads the counters at every look: nothing is inconclusive, clean traffic passes, failures fail."""
    series = Counter({("production_m-canary_rest", 200, "", "-"): 1000, ("production_m-canary_rest", 500, "", "-"): 99})

    async def stats(_: web.Request) -> web.Response:
        return web.Response(text=exposition(series))

    async def story() -> None:
        admin = web.Application()
        admin.router.add_get("/stats/prometheus", stats)
        runner = web.AppRunner(admin)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with judged(f"--envoy=http://127.0.0.1:{runner.addresses[0][1]}") as ask:
            first = await ask()
            assert (first["verdict"], first["canary"]) == ("inconclusive", {"requests": 0, "bad": 0})
            series["production_m-canary_grpc", 200, "0", "-"] += 400
            series["production_m-stable_grpc", 200, "0", "-"] += 7600
            clean = await ask()
            assert (clean["verdict"], clean["canary"]) == ("pass", {"requests": 400, "bad": 0})
            series["production_m-canary_grpc", 200, "14", "UF"] += 6
            failing = await ask()
            assert (failing["verdict"], failing["canary"]) == ("fail", {"requests": 406, "bad": 6})
            assert "worse than stable" in failing["reason"]
        await runner.cleanup()

    asyncio.run(story())


def test_every_ending_is_counted_once(tmp_path: Path) -> None:
    """At real Envoy each prediction counts once, bad if its client could not use the answer; nothing else counts."""
    dead = Pod("dead", rest=1, grpc=1)
    late = [route("HTTPRoute", (100, 0)), route("GRPCRoute", (100, 0))]

    async def story() -> None:
        gateway = Gateway()
        await gateway.start(tmp_path)
        url = "http://{}:{}".format(*gateway.admin)
        async with aiohttp.ClientSession() as session, Client(gateway.address) as client, Pod("stable") as stable:
            seen = Counts()

            async def counted(ask: Awaitable[str]) -> tuple[str, Counts]:
                nonlocal seen
                answer, before = await ask, seen
                try:
                    async with asyncio.timeout(1):
                        while seen == before:
                            seen = (await counts.read(session, url)).get("production_m-stable", Counts())
                except TimeoutError:
                    pass
                return answer, seen - before

            nothing, good, bad = Counts(), Counts(1, 0), Counts(1, 1)
            await gateway.apply(late, SERVICES, endpoints(stable=stable))
            assert await counted(client.rest()) == ("stable", good)
            assert await counted(client.grpc()) == ("stable", good)
            assert await counted(client.rest(path="/v1/models/m/versions/2:predict")) == ("stable", good)
            for how in ("400", "500"):
                assert await counted(client.rest(how)) == (how, bad)
            assert await counted(client.rest("reset")) == ("503", bad)
            for how in ("INTERNAL", "INVALID_ARGUMENT", "UNAVAILABLE"):
                assert await counted(client.grpc(how)) == (how, bad)
            assert await counted(client.rest("hang", timeout=0.2)) == ("TimeoutError", bad)
            assert await counted(client.grpc("hang", timeout=0.2)) == ("DEADLINE_EXCEEDED", bad)
            await gateway.apply(late, SERVICES, endpoints(stable=dead))
            assert await counted(client.rest()) == ("503", bad)
            assert await counted(client.grpc()) == ("UNAVAILABLE", bad)
            await gateway.apply(late, SERVICES, {})
            assert await counted(client.rest()) == ("503", bad)
            assert await counted(client.grpc()) == ("UNAVAILABLE", bad)
            await gateway.apply(late, SERVICES, endpoints(stable=stable))
            assert await counted(client.rest(method="GET", path="/v1/models/m")) == ("stable", nothing)
            assert await counted(client.grpc(method=METADATA)) == ("stable", nothing)
        await gateway.stop()

    asyncio.run(story())


def test_sampling_goes_on(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer of Envoy's that cannot be read is told, an absent one is not, and neither ends the sampling."""
    sampled = asyncio.Event()

    class Remembering(Memory):
        def sample(self, now: counts.Totals) -> None:
            sampled.set()

    answers = iter([ValueError("no counters"), TimeoutError(), {}])

    async def read(*_: object) -> counts.Totals:
        answer = next(answers, {})
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def story() -> None:
        monkeypatch.setattr(envoy, "Memory", Remembering)
        monkeypatch.setattr(counts, "read", read)
        judge = service.app(envoy.Envoy("http://envoy", period=0.01))
        async with judge.router.lifespan_context(judge), asyncio.timeout(10):
            await sampled.wait()

    asyncio.run(story())
    (told,) = caplog.records
    assert told.getMessage() == "judge: found no counters in Envoy's answer, expected them (http://envoy)"
    assert "ValueError: no counters" in caplog.text


@pytest.mark.parametrize(("how", "verdict"), [("", "pass"), ("INTERNAL", "fail")])
def test_whole_way_through_envoy(tmp_path: Path, how: str, verdict: str) -> None:
    """Requests through real Envoy, weights as the route says: a good canary passes, a failing one fails within 20."""

    async def story() -> None:
        gateway = Gateway()
        await gateway.start(tmp_path)
        async with (
            judged("--envoy=http://{}:{}".format(*gateway.admin)) as ask,
            Client(gateway.address) as client,
            Pod("stable") as stable,
            Pod("canary", fails=how) as canary,
        ):
            await gateway.apply(routes(80, 20), SERVICES, endpoints(stable=stable, canary=canary))
            look = await ask(weight="20")
            assert look["verdict"] == "inconclusive"
            for _ in range(300):
                await asyncio.gather(*(ask_model() for ask_model in [client.grpc] * 10))
                look = await ask(weight="20")
                if look["verdict"] != "inconclusive":
                    break
            assert look["verdict"] == verdict, look
            sent = {name: client.answers[name] for name in ("stable", "canary", how) if name}
            assert look["stable"] == {"requests": sent["stable"], "bad": 0}
            assert look["canary"]["requests"] == client.answers.total() - sent["stable"]
            assert look["canary"]["bad"] == sent.get("INTERNAL", 0) <= 20
        await gateway.stop()

    asyncio.run(story())
