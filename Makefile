# `make` lists the words. Each does its own set-up in .venv.

PYTHON := python3
PORT ?= 8000
INTO := ..
BUILD := build
WORKERS := auto
GOALS := check
WHAT := dispatch
WHICH := proofs
ROUNDS := 5
TURNS := 5
COVERING := tests/core/cqrs ../proofs/core
SERVICE := {{cookiecutter.project_slug}}
# The service's own words, run where the template keeps it; its caches stay out of what is baked.
CACHE := $(CURDIR)/.cache
IN_PLACE = env 'PYTHONPYCACHEPREFIX=$(CACHE)/python' 'MYPY_CACHE_DIR=$(CACHE)/mypy' 'RUFF_CACHE_DIR=$(CACHE)/ruff' \
	'COVERAGE_FILE=$(CACHE)/coverage' 'HYPOTHESIS_STORAGE_DIRECTORY=$(CACHE)/hypothesis' \
	PYTEST_ADDOPTS='-p no:cacheprovider' \
	$(MAKE) --no-print-directory -C '$(SERVICE)' BIN=../.venv/bin SERVICE= TOOLS=

# The variable is common in containers; without bytecode every start takes twice as long.
unexport PYTHONDONTWRITEBYTECODE
# A hook of git sets these, and then each git would work in the repository of the hook.
unexport GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE

# uv does not read pip's configuration, and a company may have its index only there.
INDEX = UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$${PIP_INDEX_URL:-$$(.venv/bin/python -m pip config get global.index-url \
	2>/dev/null)}}"
UV = $(INDEX) .venv/bin/uv

.DEFAULT_GOAL := help
.PHONY: help demo recording new update choose test check service newest proofs coverage mutation fuzz unsteady template pairs drill weekly image rolling bench house format pins clean
.PHONY: bench-dispatch bench-write bench-read bench-delivery bench-new # the kinds of bench

help: ## List these words
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/bake ## Bake a service into build/ and start it; CHECK=1 tries it and stops, PORT=8000
	@.venv/bin/python -m scripts.demo $(if $(CHECK),--check) --port $(PORT) --into '$(BUILD)'

recording: .venv/bake ## Record the first minute with a service into README.md; ARGS=--check only measures it
	@.venv/bin/python -m scripts.recording $(ARGS)

new: .venv/bake ## Answer the questions and bake your own service into INTO=..
	@.venv/bin/python -m scripts.bake --into '$(INTO)'

# What `make` was told on its command line, by the service's `make update` and `make choose` too, is an answer.
ANSWERS = $(foreach name,$(filter-out IN TO GOALS DATA PYTHON,$(.VARIABLES)),$(if \
	$(findstring command line,$(origin $(name))),'$(name)=$($(name))'))

update: .venv/bake ## Merge this template into the service IN=../service; TO=1.1.0 or another commit, BROKER=nats
choose: .venv/bake ## Give the service IN=../service what other answers would give: BROKER=nats SAMPLE=none DATA=drop
update choose:
	@$(INDEX) .venv/bin/python -m scripts.evolve $@ $(ANSWERS) --service "$$IN" --to '$(TO)' --goals '$(GOALS)' --data '$(DATA)'

# With all servers there, what needs one runs here, and the rest in a service that has grown, which is made by `template`.
# Tests wait for servers half of the time, so there are more of them at once than cores.
ON_SERVERS := $(if $(REQUIRE_SERVICES),-m integration)
REPORT := --junitxml='$(CACHE)/report.xml'
# A proof imports the service as `app`, the service's tests as `tests`, and its own helpers from `proofs/`.
PROVE = cd '$(SERVICE)' && env 'PYTHONPYCACHEPREFIX=$(CACHE)/python' 'COVERAGE_FILE=$(CACHE)/coverage' \
	'HYPOTHESIS_STORAGE_DIRECTORY=$(CACHE)/hypothesis' 'PYTHONPATH=$(CURDIR)/proofs' ../.venv/bin/python
PYTEST := -m pytest -c pyproject.toml --rootdir=.. -p no:cacheprovider

test: .venv/tools ## Everything: these checks, the service's own, then what is baked
	@$(MAKE) --no-print-directory --jobs=2 check newest service GOALS='lint types imports'
	@$(MAKE) --no-print-directory service GOALS=test ARGS="$(ON_SERVERS) $(REPORT)" \
		$(if $(REQUIRE_SERVICES),WORKERS=5)
	@$(MAKE) --no-print-directory proofs $(if $(REQUIRE_SERVICES),WORKERS=5) \
		ARGS="--junitxml='$(CACHE)/proofs.xml' $(patsubst %,--ignore=%,$(filter ../proofs/%,$(COVERING)))"
	@$(MAKE) --no-print-directory coverage ARGS="--junitxml='$(CACHE)/covered.xml'"
	@$(MAKE) --no-print-directory template

check: .venv/tools ## Lint and types of the template's own Python
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@cd proofs && env 'MYPY_CACHE_DIR=$(CACHE)/mypy-proofs' ../.venv/bin/mypy && ../.venv/bin/pyright --pythonpath ../.venv/bin/python

service: .venv/tools ## The service's `make check`, run in place
	@$(IN_PLACE) $(GOALS)
	@rm -rf '$(SERVICE)/.import_linter_cache' # it has no setting for another place

newest: .venv/tools ## Types of the service for the newest Python, which need not be installed
	@cd '$(SERVICE)' && env 'MYPY_CACHE_DIR=$(CACHE)/mypy-newest' ../.venv/bin/mypy --python-version 3.14

proofs: .venv/tools .bench/api/ready ## What a service's owner need not run: the template's own tests of the service, in place; WHICH=proofs/core
	@$(PROVE) $(PYTEST) -n $(WORKERS) --dist worksteal $(ARGS) '../$(WHICH)'

coverage: .venv/tools ## How much of the bus its tests and proofs reach
	@$(PROVE) $(PYTEST) -n $(WORKERS) --dist worksteal --cov --cov-config=pyproject.toml --cov-report= $(ARGS) $(COVERING)
	@$(PROVE) -m coverage report --include='app/core/cqrs/*' --fail-under=98

mutation: .venv/tools ## Break each policy on purpose: a test must notice; ONLY=words of its name
	@$(PROVE) -m mutations '$(ONLY)'

fuzz: .venv/tools .bench/api/ready ## Send requests that are made from the OpenAPI document, as three callers; ARGS='--role member --examples 100'
	@$(PROVE) -m outside.fuzz $(ARGS)

unsteady: .venv/tools .bench/api/ready ## The service's tests and proofs while clocks are set back by milliseconds; on Linux, with a C compiler
	@mkdir -p '$(CACHE)' && cc -O2 -shared -fPIC -o '$(CACHE)/unsteady_clock.so' proofs/outside/unsteady_clock.c
	@env LD_PRELOAD='$(CACHE)/unsteady_clock.so' $(MAKE) --no-print-directory service GOALS=test WORKERS=$(WORKERS)
	@env LD_PRELOAD='$(CACHE)/unsteady_clock.so' $(MAKE) --no-print-directory proofs WORKERS=$(WORKERS)

template: .venv/tools ## Bake every choice, refuse every bad answer, run what was baked
	@.venv/bin/python -m pytest -n $(WORKERS) -m 'not slow and not pairs and not weekly' $(ARGS)
	@.venv/bin/python -m pytest -n 2 --dist loadfile -m slow $(ARGS)

pairs: .venv/tools ## Bake a service with each pair of answers, and run the `make check` of each; ARGS='-k kafka'
	@.venv/bin/python -m pytest -n 2 -m pairs $(ARGS) tests/test_pairs.py

drill: .venv/tools ## Update a service of each release, with a team's edits and rows in every table, and run its `make check`
	@.venv/bin/python -m pytest -m weekly $(ARGS) tests/test_drill.py

weekly: .venv/tools ## What takes too long for each change: drills, rolling releases, twenty names of each kind, newer Pythons
	@.venv/bin/python -m pytest -m weekly $(ARGS)

image: .venv/tools ## Build and run a service's image without Docker, as root on Linux; ARGS=FOLDER for a baked one
	@.venv/bin/python -m scripts.image $(ARGS)

rolling: .venv/tools ## Replace a release by the next under load, ROUNDS=5 times, on PostgreSQL: no request fails, nothing is lost
	@env ROUNDS='$(ROUNDS)' .venv/bin/python -m pytest -q -s $(ARGS) tests/test_rolling.py

bench: bench-$(WHAT) ## What a dispatch costs beside its floor and its peers, WHAT=write|read beside one by hand, WHAT=delivery|new; ARGS=--quick, BESIDE=1.1.0 compares with that commit

# With BESIDE, the benchmark is run with the service of another commit, too.
MEASURE = PYTHONPATH='$(SERVICE)' $(if $(BESIDE),.venv/bin/python -m benchmarks.beside --turns $(TURNS) '$(BESIDE)')

bench-dispatch: .bench/here/ready .bench/apart/ready $(if $(BESIDE),.venv/bake)
	@$(MEASURE) .bench/here/bin/python -m benchmarks.dispatch $(if $(BESIDE),--without-peers,--apart .bench/apart/bin/python) $(ARGS)

bench-write bench-read bench-delivery: bench-%: .venv/tools
	@$(MEASURE) .venv/bin/python -m benchmarks.$* $(ARGS)

bench-new: .venv/tools
	@.venv/bin/python -m benchmarks.new $(ARGS)

house: .venv/tools ## How large a service is and how it hangs together, part by part; ARGS=FOLDER for a baked one
	@.venv/bin/python -m scripts.house $(ARGS)

format: .venv/tools ## Format, and mend what the linter can, here and in the service
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .
	@$(IN_PLACE) format

pins: .venv/tools ## Renew the exact versions, the service's and these
	@mkdir -p build/pins
	@sed 's/^name = .*/name = "service"/; s/^license = .*/license = "MIT"/' '$(SERVICE)/pyproject.toml' >build/pins/pyproject.toml
	@export $(INDEX) && cd build/pins && '$(CURDIR)/.venv/bin/uv' pip compile pyproject.toml --group dev --upgrade --universal \
		--python-version 3.11 --quiet --no-emit-index-url --no-header --no-annotate \
		--output-file '$(CURDIR)/$(SERVICE)/constraints.txt'
	@$(UV) pip compile --group dev --constraint '$(SERVICE)/constraints.txt' --upgrade --universal \
		--python-version 3.11 --quiet --no-emit-index-url --no-header --no-annotate --output-file constraints.txt

clean: ## Remove .venv, caches and build/
	rm -rf .venv .bench .cache .mypy_cache .pytest_cache .ruff_cache build

.venv/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
		"This is Python %d.%d; the template needs 3.11 or newer. Try: make PYTHON=python3.12" % sys.version_info[:2])'
	@$(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt uv

.venv/bake: pyproject.toml constraints.txt | .venv/bin/uv
	@$(UV) pip install --quiet --python .venv/bin/python --constraint constraints.txt --group bake
	@touch $@

.venv/tools: pyproject.toml constraints.txt $(SERVICE)/constraints.txt | .venv/bin/uv
	@$(UV) pip install --quiet --python .venv/bin/python --constraint constraints.txt --group dev \
		--requirement '$(SERVICE)/constraints.txt'
	@touch $@ .venv/bake

.bench/here/ready: benchmarks/requirements.txt $(SERVICE)/constraints.txt | .venv/bin/uv
.bench/apart/ready: benchmarks/requirements-apart.txt | .venv/bin/uv
.bench/api/ready: proofs/outside/requirements.txt | .venv/bin/uv
.bench/here/ready .bench/apart/ready .bench/api/ready:
	@.venv/bin/uv venv --quiet --clear --python .venv/bin/python $(@D)
	@$(UV) pip install --quiet --python $(@D)/bin/python --requirement $<
	@touch $@
