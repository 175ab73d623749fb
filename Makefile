# Two commands matter: `make talk` and `make test`. Each does the whole set-up itself.
# On a fresh Debian machine: apt-get install python3 python3-venv python3-dev gcc libc6-dev make

PYTHON ?= python3
BIN    := .venv/bin
PYTEST ?= $(BIN)/python -m pytest -q
JOBS   ?= 2
OUT    ?= out
SCENE  ?= examples/scenes/first.toml

# What programs keep for later stays in this folder too, unless there is a place for it already.
export XDG_CACHE_HOME ?= $(CURDIR)/.cache
export MPLCONFIGDIR   ?= $(XDG_CACHE_HOME)/matplotlib

# A conversation plays the scene, unless INPUT names a recording. Nothing is sent to Gemini unless LIVE=1:
# without it the keys are taken out of the environment too, so that no slip can spend money.
KEYS   := GEMINI_API_KEY GOOGLE_API_KEY GOOGLE_GENAI_USE_ENTERPRISE GOOGLE_GENAI_USE_VERTEXAI \
          GOOGLE_GEMINI_BASE_URL GOOGLE_VERTEX_BASE_URL GOOGLE_GENAI_API_VERSION
ifeq ($(LIVE),1)
TALK   := $(BIN)/duologue talk
ABOUT  := Gemini itself, with your key; this costs money
else
TALK   := env $(KEYS:%=-u %) $(BIN)/duologue talk --local
ABOUT  := local emulator; keys in the environment are ignored
endif
ifdef INPUT
CALLER := --input "$(INPUT)"
else
CALLER := --scene "$(SCENE)"
endif

.DEFAULT_GOAL := help
.PHONY: help setup talk test test-slow lint format bench lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Make .venv: package, extras, demo models, development tools (quick when nothing changed)
	@PYTHON="$(PYTHON)" sh scripts/setup.sh

talk: setup ## A spoken conversation against the local emulator (INPUT=my.wav, OUT=out, LIVE=1 calls Gemini)
	@echo "talk: $(ABOUT)"
	@$(TALK) $(CALLER) --output-dir "$(OUT)"

test: lint ## Linters, type checkers, layer contracts and the quick tests
	$(PYTEST) -m "not slow" -n $(JOBS) $(PYTEST_ARGS)

test-slow: setup ## Tests in real time, official clients, long simulations
	$(PYTEST) -m slow --timeout 900 $(PYTEST_ARGS)

lint: setup ## ruff, mypy, basedpyright, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/basedpyright
	$(BIN)/lint-imports

format: setup ## Format, and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup ## Import time, the codec and the relay, one JSON object each (about 3 minutes)
	$(BIN)/python benchmarks/import_time.py --json
	$(BIN)/duologue bench codec --json
	$(BIN)/duologue bench relay --sessions 100 --json

# Universal: one file for every platform and Python; hashed; no index is named, so it works with any.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
           --no-emit-index-url --no-header $(LOCK_ARGS)

lock: setup ## Resolve requirements/*.txt anew from *.in and pyproject.toml (LOCK_ARGS=--upgrade for newer versions)
	$(COMPILE) requirements/build.in -o requirements/build.txt
	$(COMPILE) pyproject.toml requirements/dev.in --extra all -o requirements/dev.txt
	$(COMPILE) requirements/demo.in -o requirements/demo.txt

clean: ## Remove what was made, .venv included; downloads stay in .cache
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist out
	find src tests benchmarks scripts examples -name __pycache__ -type d -prune -exec rm -rf {} +
