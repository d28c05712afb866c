# Verbs, no logic: each runs one script. `make` alone lists them.
MAKEFLAGS += --no-print-directory
PYTHON ?= python3
python := .venv/bin/python

# What tools would leave elsewhere stays in the clone. Bytecode is cached: TensorFlow imports in 4 s, not 13.
unexport PYTHONDONTWRITEBYTECODE
export UV_PYTHON_DOWNLOADS := never
export TMPDIR := $(CURDIR)/.fledge/tmp
export DVC_SITE_CACHE_DIR := $(CURDIR)/.fledge/dvc
export DVC_GLOBAL_CONFIG_DIR := $(CURDIR)/.fledge/dvc
export DVC_SYSTEM_CONFIG_DIR := $(CURDIR)/.fledge/dvc
export KERAS_HOME := $(CURDIR)/.fledge/keras
export MPLCONFIGDIR := $(CURDIR)/.fledge/matplotlib
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := true
export TF_CPP_MIN_LOG_LEVEL := 3
export CUDA_VISIBLE_DEVICES :=
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: help
help: ## list the verbs
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

.PHONY: setup
setup: .venv/ready ## bring the environment into .venv and .tools

.venv/ready: requirements.lock scripts/setup.py
	@$(PYTHON) scripts/setup.py

.PHONY: kustomize
kustomize: ## build kustomize 5.8.1 into .tools/, which setup does where the machine has none
	@$(PYTHON) scripts/setup.py kustomize

.PHONY: demo
demo: setup ## tell the whole story on this machine: train, release, canary, abort, revert
	@$(python) -m scripts.demo

.PHONY: test
test: setup ## run all tests
	@$(python) -m pytest --basetemp=.fledge/pytest

.PHONY: lint
lint: setup ## format and type rules, as pre-commit runs them
	@ruff check . && ruff format --check . && mypy && interrogate -q tests

.PHONY: data
data: setup ## make data/ and prove it equal to data.dvc; ACCEPT=1 pins what it makes
	@$(python) -m pipelines.ingest $(if $(ACCEPT),--accept)

.PHONY: train
train: setup data ## train what changed (dvc repro)
	@dvc repro --quiet

.PHONY: gates
gates: setup ## judge every candidate of this branch (or MODEL= CANDIDATE= CHAMPION=)
	@$(python) -m scripts.gates $(if $(MODEL),--model $(MODEL)) $(if $(CANDIDATE),--candidate $(CANDIDATE)) $(if $(CHAMPION),--champion $(CHAMPION))

.PHONY: release
release: setup ## offer the trained artifact: make release MODEL=delays
	@$(python) -m scripts.release --model "$(MODEL)"

.PHONY: promote
promote: setup ## one environment up: make promote MODEL=delays TO=production
	@$(python) -m scripts.promote --model "$(MODEL)" --to "$(TO)"

.PHONY: rollback
rollback: setup ## restore a healthy delivery: make rollback MODEL=delays ENV=production [TO=1.0.0]
	@$(python) -m scripts.rollback --model "$(MODEL)" --env "$(ENV)" $(if $(TO),--to "$(TO)")

.PHONY: render
render: setup ## render the first environment again after a change of manifests/
	@$(python) -m scripts.render

.PHONY: check
check: setup ## every rule on what git says, all problems in one run
	@$(python) -m scripts.check

.PHONY: status
status: setup ## what git says serves, and what it may be rolled back to
	@$(python) -m scripts.status

.PHONY: gates-pass
gates-pass: check gates ## what the one required check of a pull request runs

.PHONY: rehearse
rehearse: setup ## run an environment's manifests on this machine: make rehearse ENV=staging
	@$(python) -m scripts.rehearse --env "$(ENV)"

.PHONY: lock
lock: setup ## pin the newest versions again
	@uv pip compile pyproject.toml --group model --group rehearsal --group dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet --upgrade --output-file requirements.lock
