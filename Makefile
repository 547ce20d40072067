# Tatami's commands. `make` alone lists them.
#
# Everything lives below this checkout (.venv, .tatami); no program but Python >= 3.11 with venv, make and the package
# index is needed. Paths are relative, so the checkout may lie in a folder with spaces.

SHELL := /bin/sh
.DEFAULT_GOAL := help
PY := .venv/bin/python
export PYTHONPATH := $(CURDIR):$(CURDIR)/platform
export PYTHONUNBUFFERED := 1
ARGS ?=

# The first of these that is new enough makes the environment; `make run PYTHON=/path/to/python` names another.
FIND_PYTHON = for python in "$(PYTHON)" python3.13 python3.12 python3.11 python3 python3.14; do \
	  [ -n "$$python" ] && command -v "$$python" >/dev/null 2>&1 || continue; \
	  "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	    && { echo "$$python"; break; }; \
	done

.PHONY: help
help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile

# --- the environment ---------------------------------------------------------------------------------------------

# An environment that was never finished, or whose Python is gone, is made anew.
ifneq ($(shell .venv/bin/python -c 'import pip' 2>/dev/null && echo whole),whole)
$(shell rm -f .venv/.run .venv/.dev)
.PHONY: .venv/bin/python
endif
.venv/bin/python:
	@python="$$($(FIND_PYTHON))"; \
	if [ -z "$$python" ]; then \
	  echo "Tatami needs Python 3.11 or newer with venv (on Debian: python3 and python3-venv); none was found." >&2; \
	  exit 1; \
	fi; \
	echo "Making the environment in .venv with $$("$$python" --version)"; \
	"$$python" -m venv --clear .venv

# Stamps: a lock that changed is installed again, an unchanged one costs nothing.
.venv/.run: requirements.txt | .venv/bin/python
	@echo "Installing requirements.txt"
	@$(PY) -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

.venv/.dev: requirements-dev.txt requirements.txt | .venv/bin/python
	@echo "Installing requirements-dev.txt"
	@$(PY) -m pip install -qq --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch .venv/.run $@

.PHONY: venv
venv: .venv/.dev ## the environment with all development tools

# --- the everyday commands -----------------------------------------------------------------------------------------

# Tests have servers and data of their own, beside a running `make run`.
WITH_TEST_SERVERS = TATAMI_EPHEMERAL=1 TATAMI_DATA="$${TATAMI_DATA:-$(CURDIR)/.tatami}/test" $(PY) -m tatami.embedded exec --
WITH_SERVERS = $(PY) -m tatami.embedded exec --

.PHONY: run
run: .venv/.run ## serve web, worker and beat with a real PostgreSQL and Valkey; Ctrl-C stops all of it
	@exec $(PY) -m tatami.embedded run

.PHONY: test
test: .venv/.dev ## run every test; ARGS="tests/students -k name" chooses
	@exec env $(WITH_TEST_SERVERS) $(PY) -m pytest -n auto $(ARGS)

.PHONY: test-volume
test-volume: .venv/.dev ## run the tests of volume at full size (minutes); their small sizes are part of `make test`
	@exec env $(WITH_TEST_SERVERS) $(PY) -m pytest -n auto -m volume $(ARGS)

.PHONY: test-chaos
test-chaos: .venv/.dev ## kill commands, web, workers, beat, Valkey, PostgreSQL at their work (half an hour); ARGS="--seed=7" repeats a run
	@exec env $(WITH_TEST_SERVERS) $(PY) -m pytest tests/chaos -m chaos $(ARGS)

.PHONY: lint
# The settings refuse to load without a secret; nothing is signed with this one.
lint: export JWT_SECRET := only-for-checks-that-sign-nothing-at-all
lint: .venv/.dev ## check style, types, the arrows between the apps, settings and migrations
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	.venv/bin/lint-imports
	$(PY) manage.py check
	$(PY) manage.py makemigrations --check --dry-run
	$(PY) manage.py lint_migrations

.PHONY: format
format: .venv/.dev ## write the code in the one style
	$(PY) -m ruff check --fix-only .
	$(PY) -m ruff format .

.PHONY: bench-import
bench-import: .venv/.dev ## time the import of 5,000 students
	@exec env $(WITH_TEST_SERVERS) $(PY) benchmarks/import_students.py

.PHONY: bench-promotions
bench-promotions: .venv/.dev ## time a check of 5,000 students with 500,000 attendances
	@exec env $(WITH_TEST_SERVERS) $(PY) benchmarks/promotions.py

.PHONY: bench-export
bench-export: .venv/.dev ## export and restore a dojo of 5,000 students and 500,000 attendances
	@exec env $(WITH_TEST_SERVERS) $(PY) benchmarks/export.py

.PHONY: bench-fleet
bench-fleet: .venv/.dev ## time making and migrating dojos, at 10, 200 and 2,000 of them (minutes); ARGS="10 200"
	@exec env $(WITH_TEST_SERVERS) $(PY) benchmarks/fleet.py $(ARGS)

.PHONY: demo-big
demo-big: .venv/.run ## add a dojo of 5,000 students and 500,000 attendances
	@exec $(WITH_SERVERS) $(PY) manage.py demo_big $(ARGS)

.PHONY: manage
manage: .venv/.run ## run a management command: make manage ARGS="showmigrations"
	@exec $(WITH_SERVERS) $(PY) manage.py $(ARGS)

.PHONY: shell
shell: .venv/.run ## open Django's shell on the running servers (or start them)
	@exec $(WITH_SERVERS) $(PY) manage.py shell

.PHONY: lock
lock: .venv/.dev ## compile requirements*.in; UPGRADE=--upgrade takes newer versions
	@for set in requirements requirements-dev; do \
	  $(PY) -m uv pip compile "$$set.in" --output-file "$$set.txt" --universal --python-version 3.11 $(UPGRADE) \
	    --generate-hashes --no-emit-index-url --no-emit-find-links --quiet --custom-compile-command "make lock" \
	    || exit 1; \
	done

.PHONY: clean
clean: ## remove the environment and the caches; the data in .tatami stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
