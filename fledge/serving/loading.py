"""Loading a version: attempts, warm-up, and the metrics of both."""

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tensorflow.python.framework.errors_impl import DataLossError
from tensorflow.python.lib.io._pywrap_record_io import RecordIterator
from tensorflow_serving.apis import prediction_log_pb2

from fledge.artifact import savedmodel
from fledge.artifact.savedmodel import Error, Model
from fledge.flags import Flags
from fledge.series import LOAD_ATTEMPTS, LOAD_LATENCY, WARMUP_LATENCY, WARMUP_RECORDS
from fledge.serving.errors import code_name, error, status_text
from fledge.serving.metrics import Metrics
from fledge.serving.models import Servable
from fledge.serving.predict import Execute, answer

MOST_RECORDS = 1000  # TensorFlow Serving's `WarmupConsts::kMaxNumRecords`
log = logging.getLogger(__name__)


def loader(flags: Flags, execute: Execute, metrics: Metrics) -> Callable[[str, Path], Model]:
    """Return a function that loads and warms up a version, with the retries of the flags; it raises the last `Error`."""

    def load(name: str, path: Path) -> Model:
        servable = f"{{name: {name} version: {int(path.name)}}}"
        for attempt in range(flags.max_num_load_retries + 1):
            if attempt:
                time.sleep(flags.load_retry_interval_micros / 1e6)
            try:
                model = _attempt(name, path, flags, execute, metrics)
            except Error as problem:
                failure = problem
                log.warning("Loading servable: %s failed: %s", servable, status_text(failure))
            else:
                log.info("Successfully loaded servable version %s", servable)
                return model
        raise failure

    return load


def _attempt(name: str, path: Path, flags: Flags, execute: Execute, metrics: Metrics) -> Model:
    begun = time.perf_counter()
    try:
        model = _load(path, flags)
    except Error:
        metrics.count(LOAD_ATTEMPTS, model_path=str(path), status="fail")
        raise
    metrics.count(LOAD_ATTEMPTS, model_path=str(path), status="success")
    metrics.count(LOAD_LATENCY, round((time.perf_counter() - begun) * 1e6), model_path=str(path))
    if flags.enable_model_warmup:
        try:
            _warm_up(Servable(name, int(path.name), model), path, flags, execute, metrics)
        except Error:
            model.close()
            raise
    return model


def _load(path: Path, flags: Flags) -> Model:
    both = flags.tensorflow_session_parallelism
    return savedmodel.load(
        path,
        intra_op_threads=both or flags.tensorflow_intra_op_parallelism,
        inter_op_threads=both or flags.tensorflow_inter_op_parallelism,
        tags=flags.saved_model_tags.split(","),
    )


def _warm_up(servable: Servable, path: Path, flags: Flags, execute: Execute, metrics: Metrics) -> None:
    """Replay the version's warm-up file, if it has one. Any record that fails is an `Error`."""
    file = path / "assets.extra" / "tf_serving_warmup_requests"
    if not file.is_file():
        return
    begun, status = time.perf_counter(), "OK"
    try:
        for record in _records(file):
            metrics.count(WARMUP_RECORDS, model_path=str(path), status="OK")
            for _ in range(flags.num_request_iterations_for_warmup or 1):
                _replay(record, servable, execute)
    except Error as failure:
        status = code_name(failure)
        raise
    finally:
        elapsed = (time.perf_counter() - begun) * 1e6
        metrics.observe(WARMUP_LATENCY, elapsed, model_path=str(path), status=status)


def _records(file: Path) -> Iterator[bytes]:
    try:
        for count, record in enumerate(RecordIterator(str(file), "")):
            if count == MOST_RECORDS:
                message = f"Number of warmup records exceeds the maximum ({MOST_RECORDS}) at {file}"
                raise error("INVALID_ARGUMENT", message)
            yield record
    except DataLossError as problem:
        hint = "Please verify your warmup data is in TFRecord format."
        raise error("DATA_LOSS", f"{problem.message}. {hint}") from None


def _replay(record: bytes, servable: Servable, execute: Execute) -> None:
    try:
        log_entry = prediction_log_pb2.PredictionLog.FromString(record)
    except ValueError as problem:
        raise error("INVALID_ARGUMENT", f"Failed to parse warmup record: {problem}") from None
    kind = log_entry.WhichOneof("log_type")
    if kind != "predict_log":
        raise error("UNIMPLEMENTED", f"Unsupported log_type for warmup: {kind}")
    answer(log_entry.predict_log.request, servable, execute, None)
