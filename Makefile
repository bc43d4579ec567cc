# `make run` delivers the example application, `make test` runs every test; both do all set-up first.
HEADWAY := .venv/bin/headway
export HEADWAY_STARTED := $(shell date +%s)

LOCK := .venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url pyproject.toml requirements.in

.PHONY: verify-aws run-aws run wheel test acceptance lint bench bench-releases bench-faults bench-chaos lock setup down

run: ## set everything up and deliver examples/taskmanager
	@infra/setup.sh run
	@$(HEADWAY) run examples/taskmanager

run-aws: ## the same on a local AWS: Terraform, ECR, ECS, RDS; docs/infrastructure.md says what it makes and how it goes again
	@infra/setup.sh dev
	@infra/run-aws.sh

wheel: ## dist/headway-VERSION-py3-none-any.whl, for `uv tool install` or `pipx install`
	@infra/setup.sh run
	@.venv/bin/uv build -q --clear --no-build-isolation --python .venv/bin/python

test: ## every test, real Docker included
	@infra/setup.sh dev
	@.venv/bin/python -m tests -n 3 --dist loadgroup

acceptance: ## the long tests: series, strangers' applications, other engines; figures in bench/results/acceptance.json
	@infra/setup.sh dev
	@.venv/bin/python -m tests -m long --figures=bench/results/acceptance.json

verify-aws: ## the contracts of AWS against your own account: docs/aws.md says what that makes and costs
	@infra/setup.sh dev
	@HEADWAY_VERIFY_AWS=1 .venv/bin/python -m tests tests/verify_aws -m "long or not long"

lint: ## the quick checks alone
	@infra/setup.sh dev
	@.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy && .venv/bin/lint-imports --no-cache

bench: ## measure deliveries
	@infra/setup.sh dev
	@.venv/bin/python -m bench.delivery

bench-releases: ## good releases in a row under load, then noisy ones
	@infra/setup.sh dev
	@.venv/bin/python -m bench.releases --noisy 100

bench-faults: ## releases at fault under load, with Headway and without
	@infra/setup.sh dev
	@.venv/bin/python -m bench.faults
	@.venv/bin/python -m bench.peer

bench-chaos: ## kill -9 of anything at every line of a change's journal
	@infra/setup.sh dev
	@.venv/bin/python -m bench.chaos --runs 200 --places 4

lock: ## write the lock files again after a change of pyproject.toml
	@$(LOCK) -o requirements.lock
	@$(LOCK) --extra dev -o requirements-dev.lock

setup: ## the virtual environment alone
	@infra/setup.sh dev

down: ## stop everything that was started
	@$(HEADWAY) down
