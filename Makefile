# Two commands on a fresh machine: make demo, make test.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
GTZAN ?= ../shared/data/gtzan

.PHONY: demo studio test test-core bench bench-codec bench-variations docs format clean

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: $(VENV)/installed
	$(BIN)/celesta demo -o demo-report --force
	@echo "next: make studio opens the same clips in the browser, to compare, vary and search"

studio: $(VENV)/installed
	$(BIN)/celesta studio src/celesta/clips

# one thread for each of the two processes: two of each were several times slower on two cores
test: $(VENV)/installed
	$(BIN)/ruff check src tests scripts benchmarks examples
	$(BIN)/ruff format --check src tests scripts benchmarks examples
	$(BIN)/mypy
	$(BIN)/lint-imports
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --durations 15

# What a user without torch has: an environment of its own, and a run through models, verbs, features and the studio.
test-core:
	$(PYTHON) -m venv .venv-core
	.venv-core/bin/pip install -q --disable-pip-version-check --no-compile -e '.[studio]'
	folder=$$(mktemp -d) && .venv-core/bin/python tests/core/verbs.py $$folder && rm -r $$folder

bench: $(VENV)/installed
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/verbs.py

# encodec names torchaudio as a need, which the benchmark does without: see benchmarks/_codec_speed.py
bench-codec: $(VENV)/installed
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt 'visqol-python[accel]' zimtohrli einops
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt --no-deps encodec
	$(BIN)/python benchmarks/codec.py --data $(GTZAN) --json cache/bench-codec.json --html cache/bench-codec.html $(BENCH)

# MUSIC: folders of whole songs; without them the clips that ship are used
bench-variations: $(VENV)/installed
	$(BIN)/python benchmarks/variations.py --data $(GTZAN) --music $(MUSIC) $(BENCH)

docs: $(VENV)/installed
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e '.[docs]'
	$(BIN)/sphinx-build -W -q docs docs/_build
	@echo "docs: docs/_build/index.html"

format: $(VENV)/installed
	$(BIN)/ruff format src tests scripts benchmarks examples
	$(BIN)/ruff check --fix src tests scripts benchmarks examples

clean:
	rm -rf $(VENV) .venv-core demo-report docs/_build
