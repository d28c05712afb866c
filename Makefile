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
setup: .venv/$(if $(LIGHT),light,ready) ## bring the environment into .venv and .tools (LIGHT=1: without TensorFlow)

.venv/ready: requirements.lock scripts/setup.py
	@$(PYTHON) scripts/setup.py

.venv/light: requirements.lock scripts/setup.py
	@$(PYTHON) scripts/setup.py light

.PHONY: kustomize
kustomize: ## build kustomize 5.8.1 into .tools/, which setup does where the machine has none
	@$(PYTHON) scripts/setup.py kustomize $(if $(LIGHT),light)

.PHONY: crds
crds: .tools/crds.pin ## bring the definitions of custom resources into .tools/, which check does

.tools/crds.pin: scripts/setup.py
	@$(PYTHON) scripts/setup.py crds $(if $(LIGHT),light)

.PHONY: demo
demo: setup ## tell the whole story on this machine: train, release, canary, abort, revert
	@$(python) -m scripts.demo

.PHONY: test
test: setup crds ## run all tests
	@$(python) -m pytest --basetemp=.fledge/pytest

.PHONY: law
law: setup ## random acts, crashes and lost events against the scripts, git and the rollout model (FULL=1: twenty times as many)
	@FULL=$(FULL) $(python) -m pytest --basetemp=.fledge/pytest tests/law

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
gates: setup ## judge every candidate of this branch (or MODEL= ENV=; or MODEL= CANDIDATE= CHAMPION= ANCHOR=)
	@$(python) -m scripts.gates $(if $(MODEL),--model "$(MODEL)") $(if $(ENV),--env "$(ENV)") $(if $(BATCH),--pair $(BATCH)) $(if $(STORE),--store) \
		$(if $(CANDIDATE),--candidate "$(CANDIDATE)") $(if $(CHAMPION),--champion "$(CHAMPION)") $(if $(ANCHOR),--anchor "$(ANCHOR)")

.PHONY: explore
explore: setup ## ask what serves 5,000 random questions, other ones each time (each night on GitHub)
	@$(python) -m scripts.explore

.PHONY: calibrate
calibrate: setup data ## measure what the gates can tell, and their margins: make calibrate MODEL=delays [SEEDS=600]
	@$(python) -m pipelines.calibrate --model "$(MODEL)" $(if $(SEEDS),--seeds "$(SEEDS)")

.PHONY: bench
bench: setup ## time all gates on one candidate, and those that only score beside their floor (MODEL= CANDIDATE= CHAMPION=); or delivery among SCALE=1000 models
	@$(python) $(if $(SCALE),-m scripts.scale --models "$(SCALE)",-m scripts.bench) $(if $(MODEL),--model "$(MODEL)") $(if $(CANDIDATE),--candidate "$(CANDIDATE)") $(if $(CHAMPION),--champion "$(CHAMPION)")

.PHONY: zoo
zoo: train ## the gates' own test: broken models, each with the check that must refuse it (FULL=1: all of them, by all gates)
	@$(python) -m tests.zoo $(if $(FULL),--full)

.PHONY: release
release: setup ## offer the trained artifact: make release MODEL=delays
	@$(python) -m scripts.release --model "$(MODEL)"

.PHONY: promote
promote: setup ## one environment up, one model or several: make promote MODEL="delays churn" TO=production
	@$(python) -m scripts.promote --model "$(MODEL)" --to "$(TO)"

.PHONY: rollback
rollback: setup ## one healthy delivery back, or to that version: make rollback MODEL=delays ENV=production [TO=1.0.0]
	@$(python) -m scripts.rollback --model "$(MODEL)" --env "$(ENV)" $(if $(TO),--to "$(TO)")

.PHONY: render
render: setup ## render the platform and the first environment again (ALL=1: also what this branch does not touch)
	@$(python) -m scripts.render $(if $(ALL),--all)

.PHONY: check
check: setup crds ## every rule on what git says, all problems in one run (ALL=1: also on what this branch does not touch)
	@$(python) -m scripts.check $(if $(ALL),--all)

.PHONY: proof
proof: setup ## write docs/proof.md: how far each thing that is shipped is proved, and by which command
	@$(python) -m scripts.proof

.PHONY: status
status: setup ## what git says serves, since when, and what it may be rolled back to (MODEL=, JSON=1)
	@$(python) -m scripts.status $(if $(MODEL),--model "$(MODEL)") $(if $(JSON),--json)

.PHONY: gates-pass
gates-pass: setup ## what the one required check of a pull request runs: all problems of check and gates
	@$(MAKE) --keep-going check gates

.PHONY: affected
affected: setup ## what this branch changes, and what of it the gates judge
	@$(python) -m scripts.affected

.PHONY: verdict
verdict: setup ## what the job gates-pass says of the other jobs (GitHub Actions)
	@$(python) -m scripts.gates_pass

.PHONY: comment
comment: setup ## put what the gates left into the one comment of its pull request (GitHub Actions)
	@$(python) -m scripts.comment

.PHONY: propose
propose: setup ## open the pull request that a healthy TAG asks for, one environment up (GitHub Actions)
	@$(python) -m scripts.propose --tag "$$TAG"

.PHONY: auto-revert
auto-revert: setup ## deny the aborted delivery and restore the last healthy one, by a pull request (GitHub Actions)
	@$(python) -m scripts.auto_revert --propose --env "$$ENV" --model "$$MODEL" --delivery "$$DELIVERY" --reason "$$REASON"

.PHONY: land
land: setup ## merge the pull request of auto-revert whose gates passed (GitHub Actions)
	@$(python) -m scripts.land

.PHONY: healthy
healthy: setup ## tag the delivery that serves everybody after its canary was judged (GitHub Actions)
	@$(python) -m scripts.healthy --see --env "$$ENV" --model "$$MODEL" --delivery "$$DELIVERY"

.PHONY: rehearse
rehearse: setup ## run an environment's manifests on this machine: make rehearse ENV=staging
	@$(python) -m scripts.rehearse --env "$(ENV)"

.PHONY: gc
gc: setup ## what of DVC's remote nothing needs any more (APPLY=1: remove it)
	@$(python) -m scripts.gc $(if $(APPLY),--apply)

.PHONY: lock
lock: setup ## pin the newest versions again
	@uv pip compile pyproject.toml --group check --group model --group image --group replay --group rehearsal --group dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet --upgrade --output-file requirements.lock
