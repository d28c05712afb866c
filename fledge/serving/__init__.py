"""A stand-in for TensorFlow Serving: `python -m fledge.serving --port=… --rest_api_port=… --model_config_file=… …`.

It answers as `tensorflow/serving` does, so that clients, gates and load tests run unchanged against both. Its latency
says nothing about production's. It differs on purpose in this: SIGTERM drains and ends it with exit code 0, and a REST
port that is taken ends it with 255 instead of being skipped.

Not here yet, and refused at start or answered with UNIMPLEMENTED: batching, Classify, Regress, MultiInference,
reloading of the configuration, labels, SSL, the health service.
"""

import fledge.artifact.bare  # noqa: F401  (stands in for tensorflow before any module here imports something of it)
