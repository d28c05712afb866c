"""The series that TensorFlow Serving exports: their names, and the buckets of its histograms.

Beside the stand-in, for the rules about queries need them where no TensorFlow is installed.
"""

# Microseconds, as TensorFlow Serving's `Buckets::Exponential(10, 1.8, 33)`.
LIMITS = [10 * 1.8**power for power in range(33)]

REQUEST_COUNT = ":tensorflow:serving:request_count"
REQUEST_LATENCY = ":tensorflow:serving:request_latency"
RUNTIME_LATENCY = ":tensorflow:serving:runtime_latency"
WARMUP_LATENCY = ":tensorflow:serving:model_warmup_latency"
WARMUP_RECORDS = ":tensorflow:serving:model_warmup_records_read"
LOAD_ATTEMPTS = ":tensorflow:cc:saved_model:load_attempt_count"
LOAD_LATENCY = ":tensorflow:cc:saved_model:load_latency"
