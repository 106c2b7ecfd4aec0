# Every target makes its own environment first: Python 3.11 and make are all it needs.
UV_VERSION := 0.13.8
PYTHON ?= python3
RUN := .venv/bin

export UV_PYTHON_DOWNLOADS := never
export DAGSTER_HOME := $(CURDIR)

# Properties that are attacked with other seeds each time by `make attack`.
ATTACKS := kalshi_assets_tests/chain/test_point_in_time.py kalshi_assets_tests/families/temperature \
	kalshi_assets_tests/features kalshi_assets_tests/trading
SEEDS ?= 1
# Empty: a random one each.
SEED ?=

.PHONY: help demo test drill attack check ui bench clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    real or generated city-days, from the exchange's wire to the report"
	@echo "make test    the tests that every change needs"
	@echo "make drill   killed processes, whole chains, a browser, thousands of absurd days, random seeds"
	@echo "make attack  the properties of no look-ahead on SEEDS=20 random seeds in a row"
	@echo "make ui      the Dagster UI and daemon, with a sandbox beside them; SPEED=1: of a day in progress"
	@echo "make check   format, lint, types, walls"
	@echo "make bench   how fast the chain is"

.venv/.ready: pyproject.toml uv.lock
	@test -x .uv/bin/uv || ($(PYTHON) -m venv .uv && .uv/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION))
	@echo "installing the locked environment into .venv ..."
	@.uv/bin/uv sync --frozen --quiet --python $(PYTHON)
	@touch $@

demo: .venv/.ready
	@$(RUN)/kalshi-assets demo $(if $(ARCHIVE),--archive "$(ARCHIVE)")

test: .venv/.ready
	@$(RUN)/pytest -n 3 --dist loadscope -m "not slow" $(TESTS)

drill: .venv/.ready
	@$(RUN)/pytest -n 3 --dist loadscope -m slow $(TESTS)
	@$(MAKE) --no-print-directory attack

attack: .venv/.ready
	@for n in $$(seq $(SEEDS)); do \
		$(RUN)/pytest -n 3 --dist loadscope -m "hypothesis and not slow" -q \
			--hypothesis-profile=drill $(if $(SEED),--hypothesis-seed=$(SEED)) $(ATTACKS) || exit 1; \
	done

check: .venv/.ready
	@$(RUN)/ruff format --check .
	@$(RUN)/ruff check .
	@$(RUN)/mypy
	@$(RUN)/lint-imports

ui: .venv/.ready
	@$(RUN)/kalshi-assets ui $(if $(ARCHIVE),--archive "$(ARCHIVE)") $(if $(SPEED),--running-day --speed "$(SPEED)")

bench: .venv/.ready
	@$(RUN)/kalshi-assets bench chain

clean:
	rm -rf .venv .uv .dagster
