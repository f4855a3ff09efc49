# `make run` and `make test` set up their own .venv; nothing else of the machine is used.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SAMPLE := data/sample
MODEL := var/model

.PHONY: run test slow mlx benchmarks serve sample schema clean

$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python >= 3.11 is needed: set PYTHON=/path/to/python3"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "setting up $(VENV) (once, about a minute)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable ".[dev,notebooks]" 2>$(VENV)/pip.log \
		|| { cat $(VENV)/pip.log; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt "mlx[cpu]" 2>/dev/null \
		|| echo "no MLX for this machine: the tests that need it will be skipped"
	@$(BIN)/python -c "import dispatch, models, optimization, api"
	@touch $@

$(MODEL)/manifest.json: $(READY) $(SAMPLE)/offers.csv.gz
	@$(BIN)/dispatch train $(SAMPLE)/offers.csv.gz --out $(MODEL)

run: $(READY) ## train on the sample offers, dispatch the sample snapshot, print the plan
	@$(BIN)/dispatch train $(SAMPLE)/offers.csv.gz --out $(MODEL)
	@$(BIN)/dispatch assign $(SAMPLE)/snapshot.json --model $(MODEL) --frontier --out var/plan.json

test: $(READY) ## ruff, mypy --strict, import-linter, pytest
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n 2

slow: $(READY) ## the long statistical and cross-check runs
	$(BIN)/pytest -m slow

mlx: $(READY) ## every test of the MLX backend and its Metal kernels, which g++ runs on the CPU
	$(BIN)/pytest tests/models/metal tests/models/test_scoring_mlx.py tests/models/test_attention.py \
		tests/models/attention -rs -m "slow or not slow"

benchmarks: $(READY) ## every figure of docs/benchmarks.md
	$(BIN)/python benchmarks/optimization_engines.py
	$(BIN)/python benchmarks/one_assignment.py
	$(BIN)/python benchmarks/deadlines.py
	$(BIN)/python benchmarks/frontier.py
	$(BIN)/python benchmarks/fairness.py
	$(BIN)/python benchmarks/bundles.py
	$(BIN)/python benchmarks/honest_uplift.py
	$(BIN)/python benchmarks/acceptance.py planted
	$(BIN)/python benchmarks/pipeline.py
	$(BIN)/python benchmarks/grubhub_days.py development seed-0
	$(BIN)/python benchmarks/refusal_study.py
	$(BIN)/python benchmarks/city_day.py
	$(BIN)/python benchmarks/acceptance.py
	$(BIN)/python benchmarks/day_fairness.py curves
	$(BIN)/python benchmarks/day_fairness.py tax

serve: $(MODEL)/manifest.json ## POST /assign on http://127.0.0.1:8000
	$(BIN)/dispatch serve --model $(MODEL)

sample: $(READY) ## regenerate data/sample, byte for byte
	$(BIN)/dispatch sample --out $(SAMPLE)

schema: $(READY) ## regenerate the published JSON Schema
	$(BIN)/dispatch schema > docs/snapshot.schema.json

clean:
	rm -rf $(VENV) var dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
