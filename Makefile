# Two commands: `make run` shows the portal working, `make test` checks everything. See README.md.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
PORT ?= 8000
PY := .venv/bin/python
export TORCH_INDEX
# A newcomer's terminal shows what goes wrong, not every request.
run demo: export RSPORTAL_LOG_LEVEL := $(or $(RSPORTAL_LOG_LEVEL),WARNING)

.PHONY: help setup setup-dev run demo test lint checks tests clean clean-data

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

setup: ## Prepare everything (virtual environment, packages, database), ingest nothing
	@$(PYTHON) -I rsportal/bootstrap.py
	@$(PY) manage.py migrate --noinput --verbosity 0
	@$(PY) manage.py encoder ensure
	@echo "rsportal: ready. Next: make run, or .venv/bin/python manage.py help"

setup-dev:
	@$(PYTHON) -I rsportal/bootstrap.py --dev

run: ## Prepare everything, ingest the demo archive, show three searches, serve (PORT=8000)
	@$(PYTHON) -I rsportal/bootstrap.py
	@exec $(PY) manage.py quickstart --serve --port $(PORT)

demo: ## The same without serving; succeeds only when the searches returned scenes
	@$(PYTHON) -I rsportal/bootstrap.py
	@exec $(PY) manage.py quickstart

test: lint checks tests ## Lint, types, checks and all tests

lint: setup-dev ## Style and types
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m djlint templates --quiet --lint --check
	$(PY) -m mypy rsportal imagery search tests

checks: setup-dev ## Django's checks in the production profile, missing migrations, the API's schema
	RSPORTAL_PROFILE=production RSPORTAL_ALLOWED_HOSTS=portal.example \
		RSPORTAL_SECRET_KEY=$$($(PY) -c 'import secrets; print(secrets.token_urlsafe(50))') \
		$(PY) manage.py check --deploy --fail-level WARNING
	$(PY) manage.py makemigrations --check --dry-run
	$(PY) manage.py spectacular --validate --fail-on-warn --file /dev/null

tests: setup-dev ## The tests alone: real PostgreSQL, real worker, real browser
	@# Two halves at once, each with a database of its own: one by itself leaves a core idle half of the time.
	@# What failed in either stands at the very end, where a log cut short still has it.
	@said=$$(mktemp -d); trap 'kill $$beside 2>/dev/null || true; rm -rf "$$said"' EXIT; failed=0; \
	RSPORTAL_TEST_DB_SUFFIX=$${RSPORTAL_TEST_DB_SUFFIX:-}beside $(PY) -m pytest tests/imagery >"$$said/imagery" 2>&1 & beside=$$!; \
	$(PY) -m pytest --ignore=tests/imagery 2>&1 | tee "$$said/rest" || failed=$$?; \
	wait $$beside || failed=$$?; \
	echo "tests/imagery:"; cat "$$said/imagery"; \
	if [ $$failed != 0 ]; then echo "What failed:"; grep -hE '^(FAILED|ERROR)|^[=].* in [0-9.]+s' "$$said/rest" "$$said/imagery" | cut -c1-240 | tail -n 12; fi; \
	exit $$failed

clean: ## Remove what `make setup` made (the virtual environment and caches); keeps var/ with your data
	@if [ -x $(PY) ]; then $(PY) manage.py postgres stop || true; fi
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis var/static var/static.stamp
	find . -path ./var -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
	find rsportal/locale -name '*.mo' -delete

clean-data: ## Delete the portal's database and files: make clean-data CONFIRM=yes
	@[ "$(CONFIRM)" = yes ] || { echo "This deletes every scene, account and click. To do it: make clean-data CONFIRM=yes"; exit 1; }
	$(PY) manage.py postgres remove --yes
	rm -rf var
