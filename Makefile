# make study   sets up .venv and runs the main study
# make test    sets up .venv and runs the tests
# make lint    style, types and imports
# make clean   removes .venv and caches; studies/ and store/ stay

PYTHON ?= python3
STUDY ?= search_spaces/solvers.yaml
BIN := .venv/bin

.PHONY: study test lint clean

study: .venv/.installed
	@$(BIN)/python -m studyhub.launch $(STUDY)

# A test may start a dozen processes, each of which would translate the sources anew where the environment forbids them to keep it.
test: .venv/.installed
	@$(BIN)/python -m compileall -q studyhub tests
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: .venv/.installed
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/pyright
	@$(BIN)/lint-imports

# uv installs in seconds what takes pip minutes, but reads none of pip's settings: hand on the two that decide where torch comes from.
.venv/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo "studyhub needs Python 3.11 or newer, but '$(PYTHON)' is $$($(PYTHON) -V 2>/dev/null || echo not there): name a newer one, such as make PYTHON=python3.12 study" >&2; exit 1; }
	@echo "setting up .venv (once)"
	@$(PYTHON) -m venv .venv
	@export UV_FIND_LINKS="$${UV_FIND_LINKS:-$$PIP_FIND_LINKS}" UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$$PIP_INDEX_URL}"; \
	[ -n "$$UV_FIND_LINKS" ] || unset UV_FIND_LINKS; \
	[ -n "$$UV_DEFAULT_INDEX" ] || unset UV_DEFAULT_INDEX; \
	if $(BIN)/python -m pip install -q -c constraints.txt uv 2>/dev/null; then \
	    $(BIN)/uv pip install -q --compile-bytecode --python $(BIN)/python -c constraints.txt -e '.[dev]'; \
	else \
	    echo "uv is not to be had: pip takes its place, and a few minutes"; \
	    $(BIN)/python -m pip install -q -c constraints.txt -e '.[dev]'; \
	fi
	@touch $@

clean:
	rm -rf .venv build *.egg-info .pytest_cache .ruff_cache .import_linter_cache .hypothesis .benchmarks
	find studyhub tests -name __pycache__ -type d -prune -exec rm -rf {} +
