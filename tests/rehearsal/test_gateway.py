"""The gateway: routes and ready pods in, real Envoy out."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from fledge.problems import Problem
from fledge.rehearsal.gateway import Gateway
from fledge.rehearsal.routes import resources
from tests.upstreams import HOSTS, SERVICES, Client, Pod, endpoints, route, routes

ALPHA = 1e-6  # how often a test of a random share may fail although it is right


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[tuple[Gateway, Client]]:
    gateway = Gateway()
    await gateway.start(folder)
    try:
        async with Client(gateway.address) as client:
            yield gateway, client
    finally:
        await gateway.stop()


async def many(ask: Callable[[], Awaitable[str]], n: int, at_once: int = 16) -> list[str]:
    async def some(count: int) -> list[str]:
        return [await ask() for _ in range(count)]

    found = await asyncio.gather(*(some(n // at_once) for _ in range(at_once)))
    return list(itertools.chain(*found))


def actions(rds: dict[str, Any], host: str) -> list[dict[str, Any]]:
    (virtual_host,) = [v for v in rds["resources"][0]["virtual_hosts"] if v["domains"] == [host]]
    return virtual_host["routes"]


def test_weights_and_names() -> None:
    """A backendRef becomes the cluster of its Service's port with its weight, an omitted weight being 1."""
    one = route("HTTPRoute", (95, 5))
    del one["spec"]["rules"][0]["backendRefs"][1]["weight"]
    rds, cds = resources([one], SERVICES, {})
    (entry,) = actions(rds, HOSTS["rest"])
    assert entry["match"] == {"path_separated_prefix": "/v1/models"}
    assert entry["route"]["weighted_clusters"]["clusters"] == [
        {"name": "production_m-stable_rest", "weight": 95},
        {"name": "production_m-canary_rest", "weight": 1},
    ]
    assert {c["name"] for c in cds["resources"]} == {
        f"production_m-{role}_{api}" for role in ("stable", "canary") for api in ("rest", "grpc")
    }


def test_h2c_only_where_the_service_says() -> None:
    """A port speaks HTTP/2 in clear if its appProtocol is kubernetes.io/h2c, HTTP/1.1 otherwise."""
    _, cds = resources([], SERVICES, {})
    for cluster in cds["resources"]:
        (options,) = cluster["typed_extension_protocol_options"].values()
        assert ("http2_protocol_options" in options["explicit_http_config"]) == cluster["name"].endswith("_grpc")


def test_nothing_is_retried() -> None:
    """No route has a retry policy: a retry would turn a failure of the canary into a success."""
    rds, _ = resources(routes(50, 50), SERVICES, {})
    assert "retry" not in repr(rds)


def test_exact_before_longer_before_shorter() -> None:
    """Envoy takes the first match, so an exact path comes before prefixes and a longer prefix before a shorter one."""
    one = route("HTTPRoute", (1, 0))
    one["spec"]["rules"][0]["matches"] = [
        {"path": {"type": "PathPrefix", "value": "/"}},
        {"path": {"type": "PathPrefix", "value": "/v1/"}},
        {"path": {"type": "Exact", "value": "/x"}},
        {"path": {"type": "PathPrefix", "value": "/v1/models"}},
    ]
    rds, _ = resources([one], SERVICES, {})
    assert [entry["match"] for entry in actions(rds, HOSTS["rest"])] == [
        {"path": "/x"},
        {"path_separated_prefix": "/v1/models"},
        {"path_separated_prefix": "/v1"},
        {"prefix": "/"},
    ]


@pytest.mark.parametrize("where", ["rule", "match", "backendRef"])
def test_what_is_not_translated_is_refused(where: str) -> None:
    """A field that the gateway would ignore is a Problem that names the route and the field."""
    one = route("HTTPRoute", (1, 0))
    rule = one["spec"]["rules"][0]
    {"rule": rule, "match": rule["matches"][0], "backendRef": rule["backendRefs"][0]}[where]["filters"] = []
    with pytest.raises(Problem, match=r"HTTPRoute production/m-rest uses filters, expected only"):
        resources([one], SERVICES, {})


def test_shared_hostname_is_refused() -> None:
    """An HTTPRoute and a GRPCRoute with one hostname are a Problem, for a listener would take only one of them."""
    both = routes(100, 0)
    both[1]["spec"]["hostnames"] = both[0]["spec"]["hostnames"]
    with pytest.raises(Problem, match=r"m\.example\.com is on an HTTPRoute and on a GRPCRoute"):
        resources(both, SERVICES, {})


@pytest.mark.parametrize(("canary", "n"), [(0, 400), (5, 2000), (25, 2000), (100, 400)])
def test_share_of_the_canary(tmp_path: Path, canary: int, n: int) -> None:
    """REST and gRPC on one connection each are split by request as the weights say, exactly at 0 and 100."""

    async def story() -> None:
        async with running(tmp_path) as (gateway, client), Pod("stable") as stable, Pod("canary") as new:
            await gateway.apply(routes(100 - canary, canary), SERVICES, endpoints(stable=stable, canary=new))
            low, high = stats.binom.interval(1 - ALPHA / 2, n, canary / 100)
            for api in (client.rest, client.grpc):
                answers = await many(api, n)
                assert set(answers) <= {"stable", "canary"}
                assert low <= answers.count("canary") <= high

    asyncio.run(story())


def test_service_without_endpoints(tmp_path: Path) -> None:
    """A route to a Service without ready pods answers 503 over REST and UNAVAILABLE over gRPC."""

    async def story() -> None:
        async with running(tmp_path) as (gateway, client):
            await gateway.apply(routes(100, 0), SERVICES, {})
            assert (await client.rest(), await client.grpc()) == ("503", "UNAVAILABLE")

    asyncio.run(story())


def test_weights_that_sum_to_zero(tmp_path: Path) -> None:
    """Weights of 0 and 0 answer 500, as the Gateway API says, and leave other routes alone."""

    async def story() -> None:
        async with running(tmp_path) as (gateway, client), Pod("stable") as stable:
            both = [route("HTTPRoute", (0, 0)), route("GRPCRoute", (1, 0))]
            await gateway.apply(both, SERVICES, endpoints(stable=stable))
            assert (await client.rest(), await client.grpc()) == ("500", "stable")

    asyncio.run(story())


def test_only_what_the_route_names(tmp_path: Path) -> None:
    """Another hostname, another path and another gRPC service find no backend."""

    async def story() -> None:
        async with running(tmp_path) as (gateway, client), Pod("stable") as stable:
            await gateway.apply(routes(100, 0), SERVICES, endpoints(stable=stable))
            assert await client.rest(path="/v1/modelsx") == "404"
            assert await client.grpc(method="/tensorflow.serving.ModelService/GetModelStatus") == "UNIMPLEMENTED"
            moved = routes(100, 0)
            moved[0]["spec"]["hostnames"] = ["other.example.com"]
            await gateway.apply(moved, SERVICES, endpoints(stable=stable))
            assert await client.rest() == "404"

    asyncio.run(story())


def test_swaps_and_new_pods_under_load(tmp_path: Path) -> None:
    """Swapping weights and replacing pods loses no request when a pod stops after `apply` without it and its preStop."""

    async def load(ask: Callable[[], Awaitable[str]], until: asyncio.Event) -> None:
        while not until.is_set():
            await ask()

    async def story() -> None:
        done = asyncio.Event()
        async with running(tmp_path) as (gateway, client), Pod("stable", delay=0.01) as stable:
            await gateway.apply(routes(50, 50), SERVICES, endpoints(stable=stable, canary=stable))
            users = [asyncio.create_task(load(api, done)) for api in (client.rest, client.grpc) for _ in range(8)]
            for generation in range(8):
                async with Pod(f"canary-{generation}", delay=0.01, pre_stop=0.1) as canary:
                    for weight in (0, 5, 25, 100, 60):
                        await gateway.apply(
                            routes(100 - weight, weight), SERVICES, endpoints(stable=stable, canary=canary)
                        )
                        before = client.answers.total()
                        while client.answers.total() < before + 30:
                            await asyncio.sleep(0.005)
                    # Its traffic goes to the old pod in the moment in which it leaves.
                    await gateway.apply(routes(40, 60), SERVICES, endpoints(stable=stable, canary=stable))
            done.set()
            await asyncio.gather(*users)
            names = {"stable"} | {f"canary-{generation}" for generation in range(8)}
            assert set(client.answers) == names, client.answers
            assert client.answers.total() > 1000

    asyncio.run(story())


def test_weight_zero_is_immediate(tmp_path: Path) -> None:
    """Once `apply` has returned, no new request reaches a backend whose weight became 0."""

    async def story() -> None:
        async with running(tmp_path) as (gateway, client), Pod("stable") as stable, Pod("canary") as canary:
            for _ in range(10):
                await gateway.apply(routes(0, 100), SERVICES, endpoints(stable=stable, canary=canary))
                assert {await client.rest(), await client.grpc()} == {"canary"}
                await gateway.apply(routes(100, 0), SERVICES, endpoints(stable=stable, canary=canary))
                assert {await client.rest(), await client.grpc()} == {"stable"}

    asyncio.run(story())


def test_a_late_configuration_is_not_taken_for_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After Envoy did not follow in time, `apply` of the same or of what was before returns only when Envoy serves it."""

    async def story() -> None:
        async with running(tmp_path) as (gateway, client), Pod("stable") as stable, Pod("canary") as canary:
            both = endpoints(stable=stable, canary=canary)
            await gateway.apply(routes(100, 0), SERVICES, both)
            for following in ((0, 100), (100, 0)):
                with monkeypatch.context() as patch:
                    patch.setattr("fledge.rehearsal.gateway._DEADLINE", 0.0)
                    with pytest.raises(Problem, match="Envoy did not follow within 0 s"):
                        await gateway.apply(routes(0, 100), SERVICES, both)
                await gateway.apply(routes(*following), SERVICES, both)
                assert await client.rest() == ("stable" if following[0] else "canary")
                await gateway.apply(routes(100, 0), SERVICES, both)

    asyncio.run(story())


def test_an_envoy_that_ended_is_a_problem(tmp_path: Path) -> None:
    """Applying to an Envoy that is gone says so in a line, whether or not the routes change."""

    async def story() -> None:
        async with running(tmp_path) as (gateway, _):
            await gateway.apply(routes(100, 0), SERVICES, {})
            gateway._process.kill()
            await gateway._process.wait()
            for weights in ((100, 0), (50, 50)):
                with pytest.raises(Problem, match="gateway: Envoy ended with -9"):
                    await gateway.apply(routes(*weights), SERVICES, {})

    asyncio.run(story())


def test_refused_configuration_keeps_the_old_one(tmp_path: Path) -> None:
    """What Envoy refuses is a Problem with Envoy's reason; the routes before it go on serving, and so do later ones."""

    async def story() -> None:
        async with running(tmp_path) as (gateway, client), Pod("stable") as stable:
            await gateway.apply(routes(100, 0), SERVICES, endpoints(stable=stable))
            broken = routes(100, 0)
            broken[0]["spec"]["rules"][0]["matches"] = [{"path": {"type": "RegularExpression", "value": "("}}]
            with pytest.raises(Problem, match=r"Envoy refused the configuration.*missing"):
                await gateway.apply(broken, SERVICES, endpoints(stable=stable))
            assert await client.rest() == "stable"
            with pytest.raises(Problem, match="Envoy refused the configuration"):  # the same again is no better
                await gateway.apply(broken, SERVICES, endpoints(stable=stable))
            await gateway.apply(routes(100, 0), SERVICES, endpoints(stable=stable))
            assert await client.rest() == "stable"
            await gateway.apply(routes(100, 0), SERVICES, {})
            assert await client.rest() == "503"

    asyncio.run(story())
