# syntax=docker/dockerfile:1
# What Fledge runs in a cluster: the init container of every model's pod, the judge, the reconciler, the replay job.
#
#   docker build --target judge --build-arg COMMIT=$(git rev-parse HEAD) --tag <registry>/fledge:<version>-<commit> .
#
# The pods say their own commands, so one image of the target `judge` is init container, judge and reconciler;
# the other targets differ by what they do when nobody says. `replay`, with TensorFlow, is an image of its own.
# The base's digest is yours: --build-arg PYTHON=python:3.13.7-slim-bookworm@sha256:…
ARG PYTHON=python:3.13.7-slim-bookworm

FROM ${PYTHON} AS packages
WORKDIR /build
RUN python -m venv --without-pip /venv
COPY requirements.lock pyproject.toml ./
COPY scripts/__init__.py scripts/setup.py scripts/export.py scripts/
RUN python -m scripts.export image > image.txt \
 && pip --python /venv install --no-cache-dir --require-hashes --no-deps --requirement image.txt

FROM packages AS packages-replay
RUN python -m scripts.export image replay > replay.txt \
 && pip --python /venv install --no-cache-dir --require-hashes --no-deps --requirement replay.txt

# Nothing of it may be written, and no user of the host is meant by 65532.
FROM ${PYTHON} AS run
ARG VERSION=0.1.0
ARG COMMIT=unknown
LABEL org.opencontainers.image.title="fledge" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${COMMIT}" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/venv/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1
WORKDIR /app
COPY fledge /app/fledge
RUN python -m compileall -q /app
USER 65532:65532

FROM run AS replay
COPY --from=packages-replay /venv /venv
ENTRYPOINT ["python", "-m", "fledge.client.replay"]
HEALTHCHECK NONE

FROM run AS light
COPY --from=packages /venv /venv

FROM light AS fetch
ENTRYPOINT ["python", "-m", "fledge.fetch"]
HEALTHCHECK NONE

FROM light AS reconciler
ENTRYPOINT ["python", "-m", "fledge.reconcile"]
HEALTHCHECK NONE

FROM light AS judge
ENTRYPOINT ["python", "-m", "fledge.judge"]
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s CMD ["python", "-m", "fledge.health", "http://127.0.0.1:8080/healthz"]
