# Every target calls a door (python -m features|training|serving); the logic is in Python, where it is tested.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
SOURCE ?= sample
MODEL ?= churn-risk
# The absolute path of the home. Functions of make take a space for the end of a path.
space := $(subst ,, )
WRITTEN := $(subst ?,$(space),$(abspath $(subst $(space),?,$(or $(ACCOUNTSCORE_HOME),var))))
# --NAME VALUE when a make variable is given: $(call option,--budget,$(BUDGET))
option = $(if $(2),$(1) '$(2)')
export ACCOUNTSCORE_DATA ?= $(DATA)
unexport PYTHONDONTWRITEBYTECODE # or every process compiles all that it imports, for seconds

.DEFAULT_GOAL := help
.PHONY: help setup demo walk test test-quick test-full format check train tune compare backtest promote monitor rollback notebooks mlflow page score serve bench-audit bench-batch bench-lists bench-page bench-quality bench-truth bench-serving bench-signals bench-webhooks soak backfill lock clean

help: ## Show these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: $(VENV)/.installed ## Make .venv with everything: the product, its extras, what tests need

# What the product itself uses is enough for all that is not a test.
# INSTALLER=pip does without uv, which is otherwise taken from PATH, or from PyPI into .venv. An environment whose making was
# interrupted (no interpreter that starts, or no pip where it is needed) is made again.
$(VENV)/.core: requirements-core.lock
	$(call install,$<)
	@touch $@

$(VENV)/.installed: requirements.lock
	$(call install,$<)
	@touch $(VENV)/.core $@

INSTALLER ?= uv
define install
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "accountscore needs Python 3.11 or newer, this is " + sys.version.split()[0])'
@uv=$$(test $(INSTALLER) = pip || command -v uv); \
$(RUN) -c '' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV) && \
{ test -n "$$uv" || $(RUN) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV); }
@began=$$(date +%s) && set -e && \
if [ $(INSTALLER) = pip ]; then $(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes -r $(1); else \
  uv=$$(command -v uv || true); \
  if [ -z "$$uv" ]; then $(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock; uv=$(VENV)/bin/uv; fi; \
  "$$uv" pip install --quiet --python $(RUN) --require-hashes -r $(1); \
fi && echo "Installed $(1) into $(VENV) in $$(( $$(date +%s) - began )) s"
endef

demo: $(VENV)/.core ## From nothing to scores on the screen (SOURCE=sample|ravenstack|x_education, DATA=DIR, ACCOUNTS, LEADS, TRIALS, MODELS=all)
	$(RUN) demo.py --source '$(SOURCE)' $(call option,--data,$(DATA)) $(call option,--accounts,$(ACCOUNTS)) $(call option,--leads,$(LEADS)) $(call option,--usage-events,$(USAGE_EVENTS)) $(call option,--budget,$(BUDGET)) $(call option,--trials,$(TRIALS)) $(call option,--models,$(MODELS))

# Twice as many as processors: two fifths of the time tests wait for servers, deadlines and restarts.
WORKERS ?= $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN) * 2 )))
test: setup ## All tests but the long sweeps: 12 to 25 minutes on 2 cores, or those of AREA=serving/outbox alone; in an order of its own, or that of SEED=N again
	$(RUN) -m pytest -m "not slow" -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(if $(SEED),--randomly-seed=$(SEED)) $(addprefix tests/,$(AREA))

test-quick: setup ## Under a minute: the tests that start no server and no process, learn nothing and read no company
	$(RUN) -m pytest -m quick -n $(WORKERS)

walk: setup ## Run the commands of README.md but those that train, on a small company, in a folder of its own
	$(RUN) -m pytest -q -m slow tests/behaviour/test_walk.py -k 'not whole'

test-full: setup ## All tests, the long kill sweeps included
	$(RUN) -m pytest

format: setup ## Format the code and sort its imports
	$(RUN) -m ruff check --select I --fix .
	$(RUN) -m ruff format .

check: setup ## Lint, types, import rules, bandit
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(VENV)/bin/lint-imports
	$(RUN) -m bandit -q -c pyproject.toml -r features models training serving

train: $(VENV)/.core ## Train, judge and register MODEL on SOURCE (BUDGET=seconds, or TRIALS=N; CAPACITY='40 per day'); fails when nothing goes live
	$(RUN) -m training fit $(MODEL) --source '$(SOURCE)' $(call option,--data,$(DATA)) $(call option,--budget,$(BUDGET)) $(call option,--trials,$(TRIALS)) $(call option,--capacity,$(CAPACITY))

tune: $(VENV)/.core ## As train, but search on to the end of BUDGET (900 seconds)
	$(RUN) -m training tune $(MODEL) --source '$(SOURCE)' $(call option,--data,$(DATA)) $(call option,--budget,$(BUDGET))

compare: $(VENV)/.core ## The challenger of MODEL beside its champion on rows of SOURCE that neither learnt from (VERSION, AGAINST)
	$(RUN) -m training compare $(MODEL) --source '$(SOURCE)' $(call option,--data,$(DATA)) $(call option,--version,$(VERSION)) $(call option,--against,$(AGAINST))

backtest: $(VENV)/.core ## What would MODEL's list have caught at each of the last six months of SOURCE? (MONTHS, TRIALS)
	$(RUN) -m training backtest $(MODEL) --source '$(SOURCE)' $(call option,--data,$(DATA)) $(call option,--months,$(MONTHS)) $(call option,--trials,$(TRIALS))

promote: $(VENV)/.core ## Make the newest version of MODEL (or VERSION=N) champion, through its gates
	$(RUN) -m training promote $(MODEL) $(call option,--version,$(VERSION))

monitor: $(VENV)/.core ## Is MODEL still right? AS_OF=DATE, SOURCE, DATA; fails when someone should look (the command itself with 4; make always with 2)
	$(RUN) -m training monitor $(MODEL) --source '$(SOURCE)' $(call option,--data,$(DATA)) $(call option,--as-of,$(AS_OF))

rollback: $(VENV)/.core ## Put the previous champion of MODEL back
	$(RUN) -m training rollback $(MODEL)

notebooks: setup ## Run the three notebooks (MODEL, SOURCE); the results are in notebooks/ of the home
	mkdir -p '$(WRITTEN)/notebooks'
	PYTHONPATH='$(CURDIR)' ACCOUNTSCORE_HOME='$(WRITTEN)' MODEL=$(MODEL) SOURCE='$(SOURCE)' $(VENV)/bin/jupyter execute notebooks/*.ipynb --output '$(WRITTEN)/notebooks/{notebook_name}'

mlflow: $(VENV)/.core ## The MLflow page, on loopback (MLFLOW_PORT=5000)
	$(VENV)/bin/mlflow ui --host 127.0.0.1 --port $(or $(MLFLOW_PORT),5000) --backend-store-uri '$(or $(ACCOUNTSCORE_TRACKING_URI),sqlite:///$(WRITTEN)/mlflow.db)'

serve: $(VENV)/.core ## Start the API on loopback (PORT=8000)
	$(RUN) -m serving migrate
	$(RUN) -m serving api $(call option,--port,$(PORT))

page: $(VENV)/.core ## What people work from, in a browser: prints its address; Ctrl-C ends it (PORT=8000)
	@$(RUN) -m serving migrate
	@echo 'Open http://127.0.0.1:$(or $(PORT),8000)/ui/ (Ctrl-C ends it)'
	@$(RUN) -m serving api $(call option,--port,$(PORT))

score: $(VENV)/.core ## The nightly batch: AS_OF=DATE, OUT=DIR, SOURCE, DATA
	$(RUN) -m serving batch --source '$(SOURCE)' $(call option,--data,$(DATA)) $(call option,--as-of,$(AS_OF)) --out '$(or $(OUT),$(WRITTEN)/scores)'

bench-page: setup ## p50 and p99 of every page on the store of bench-lists, beside a bare template, and their bytes (ARGS='--accounts 20000 --leads 100000')
	$(RUN) -W ignore -m tests.benchmarks.bench_page $(ARGS)

bench-quality: setup ## Our fit-table beside plain LightGBM, plain logit and AutoML on the public datasets (ARGS='telco bank')
	$(RUN) -m tests.benchmarks.bench_quality $(ARGS)

bench-audit: setup ## Leaks that the audit finds, misses and wrongly names: public datasets (DATA=DIR) and made tables (ARGS='x_education telecom')
	$(RUN) -m tests.benchmarks.bench_audit $(ARGS)

bench-truth: setup ## Our AUC beside that of the true probabilities on sample companies of 500, 2,000 and 20,000 accounts
	$(RUN) -m tests.benchmarks.bench_truth $(ARGS)

bench-serving: setup ## A score over HTTP beside echoes and mlflow models serve (ARGS='--no-mlflow')
	$(RUN) -m tests.benchmarks.bench_serving $(ARGS)

bench-batch: setup ## 5 million rows x 60 signals, Parquet to Parquet, beside Booster.predict, pred_contrib and pandas (ARGS='--rows 50000000')
	$(RUN) -m tests.benchmarks.bench_batch $(ARGS)

bench-lists: setup ## p50 and p99 of lists over 200,000 accounts and 1,000,000 leads, on SQLite and Postgres (ARGS='--accounts 20000 --leads 100000')
	$(RUN) -W ignore -m tests.benchmarks.bench_lists $(ARGS)

bench-signals: setup ## Signals on 50 million events against plain DuckDB and pandas (ARGS='--events 500000000')
	$(RUN) -m tests.benchmarks.bench_signals $(ARGS)

bench-webhooks: setup ## Webhooks acknowledged a second and time to the write-back, on SQLite and Postgres
	$(RUN) -W ignore -m tests.benchmarks.bench_webhooks $(ARGS)

soak: setup ## MINUTES (10) of everything at once, slowly: no event lost, no 5xx, memory and files bounded
	$(RUN) -W ignore -m tests.benchmarks.soak $(call option,--minutes,$(MINUTES))

backfill: $(VENV)/.core ## Score all records that a new connection has already: CONNECTION=NAME
	$(RUN) -m serving backfill $(CONNECTION)

COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url
lock: ## Write the three lock files anew from pyproject.toml (needs uv)
	$(COMPILE) pyproject.toml --all-extras -o requirements.lock
	$(COMPILE) pyproject.toml --extra postgres -c requirements.lock -o requirements-core.lock
	echo uv | $(COMPILE) - --no-header -o requirements-uv.lock

clean: ## Remove what was written: var/ and caches, not .venv
	rm -rf var .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
