"""The server's process: load, then open the ports, then answer until SIGTERM or SIGINT."""

import contextlib
import logging
import math
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import uvicorn
from tensorflow_serving.config.model_server_config_pb2 import ModelConfig

from fledge.artifact.savedmodel import Error, Model
from fledge.flags import Flags, parse, unimplemented, usage
from fledge.serving import config, grpc_api, rest_api, source
from fledge.serving.errors import error, status_text
from fledge.serving.loading import loader
from fledge.serving.metrics import Metrics
from fledge.serving.models import Models
from fledge.serving.predict import Run, executor

TICK_S = 0.1  # of TensorFlow Serving's manager
DRAIN_S = 30  # Kubernetes' own default for a pod to end
IDLE_S = 24 * 3600  # a gateway must be the one to close an idle connection, or it sends into a closing one

log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None, run: Run = Model.run) -> int:
    """Serve until the process is told to end. Return 0 then, 255 if it cannot start or a flag is wrong.

    `run` is the one place where a request runs a session; a rehearsal may give another that fails now and then. It
    raises what `fledge.serving.errors.error` makes. A warm-up never goes through it.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if "--version" in arguments:
        print("TensorFlow ModelServer: fledge.serving\nTensorFlow Library: 2.20.0")
        return 0
    if "--help" in arguments:
        print(usage())
        return 255
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname).1s %(message)s")
    logging.getLogger("tensorflow").setLevel(logging.WARNING)
    try:
        return _serve(arguments, run)
    except ValueError as problem:
        print(problem, usage(), sep="\n")
    except Error as failure:
        print(f"Failed to start server. Error: {status_text(failure)}", flush=True)
    return 255


def _serve(arguments: Sequence[str], run: Run) -> int:
    flags = _flags(arguments)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    metrics = Metrics()
    configs = config.models(flags)
    metrics_path = config.metrics_path(flags)
    models = Models([each.name for each in configs], loader(flags, executor(Model.run, metrics), metrics))
    with contextlib.suppress(SystemExit), contextlib.ExitStack() as stack:
        managing = _managing(configs, models, flags.file_system_poll_wait_seconds)
        next(step for step in managing if not models.pending())
        api = rest_api.Api(models, executor(run, metrics), metrics, metrics_path, flags.rest_api_timeout_in_ms)
        listening = _rest_socket(flags)
        server = grpc_api.start(flags, models, api.execute, metrics)
        stack.callback(lambda: server.stop(DRAIN_S).wait())
        stack.callback(_in_background(managing))
        log.info("Running gRPC ModelServer at 0.0.0.0:%d ...", flags.port)
        _answer(flags, api, listening)
    return 0


def _flags(arguments: Sequence[str]) -> Flags:
    flags, others, unknown = parse(arguments)
    if unknown:
        print(f"unknown argument: {unknown[0]}", usage(), sep="\n", flush=True)
    for name in unimplemented(others):
        raise error("UNIMPLEMENTED", f"fledge.serving cannot heed --{name}")
    if others:
        log.info("Ignored: %s", ", ".join(f"--{name}" for name in others))
    if not flags.port and not flags.grpc_socket_path:
        message = "At least one of server_options.grpc_port or server_options.grpc_socket_path must be set."
        raise error("INVALID_ARGUMENT", message)
    parallelism = (flags.tensorflow_intra_op_parallelism, flags.tensorflow_inter_op_parallelism)
    if flags.tensorflow_session_parallelism > 0 and min(parallelism) > 0:
        message = "Set either tensorflow_session_parallelism or the intra- and inter-op parallelism, not all three"
        raise error("INVALID_ARGUMENT", message)
    return flags


def _end(number: int, frame: object) -> None:
    raise SystemExit(0)


def _managing(configs: list[ModelConfig], models: Models, wait_s: int) -> Iterator[None]:
    """Poll the file system every so often (0: once, negative: never), and yield after each load or unload."""
    due = 0.0 if wait_s >= 0 else math.inf
    while True:
        if time.monotonic() >= due:
            due = time.monotonic() + wait_s if wait_s else math.inf
            try:
                models.aspire(source.poll(configs))
            except Error as failure:
                log.error("FileSystemStoragePathSource encountered a filesystem access error: %s", failure.message)
        if not models.step():
            time.sleep(TICK_S)
        yield


def _in_background(managing: Iterator[None]) -> Callable[[], None]:
    """Go on managing in a thread; return what ends it, without waiting for a load that hangs."""
    ended = threading.Event()
    thread = threading.Thread(target=lambda: next(step for step in managing if ended.is_set()), daemon=True)
    thread.start()

    def end() -> None:
        ended.set()
        thread.join(timeout=1)

    return end


def _rest_socket(flags: Flags) -> socket.socket | None:
    """Return the listening REST socket of the flags, for IPv4 and IPv6 where there is IPv6."""
    if not flags.rest_api_port:
        return None
    if flags.rest_api_port == flags.port:
        log.error("--rest_api_port cannot be same as --port. Please use a different port for HTTP/REST API.")
        return None
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    try:
        listening = socket.create_server(("", flags.rest_api_port), family=family, dualstack_ipv6=both, backlog=1024)
    except OSError as problem:
        message = f"Failed to start HTTP Server at localhost:{flags.rest_api_port}: {os.strerror(problem.errno or 0)}"
        raise error("INVALID_ARGUMENT", message) from None
    # Connections inherit it. asyncio would set it only where the socket names its protocol; without it a reply of two
    # writes waits 40 ms for the client's delayed acknowledgement.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def _answer(flags: Flags, api: rest_api.Api, listening: socket.socket | None) -> None:
    """Answer REST, or only wait, until a signal; requests under way are finished first."""
    if listening is None:
        signal.pause()
        return
    with ThreadPoolExecutor(flags.rest_api_num_threads, "rest") as threads:
        settings = uvicorn.Config(
            rest_api.app(api, threads),
            lifespan="off",
            log_level="warning",
            server_header=False,
            timeout_keep_alive=IDLE_S,
            timeout_graceful_shutdown=DRAIN_S,
        )
        log.info("Exporting HTTP/REST API at:localhost:%d ...", flags.rest_api_port)
        uvicorn.Server(settings).run(sockets=[listening])


if __name__ == "__main__":
    raise SystemExit(main())
