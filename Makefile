# Mercato: `make` alone prints what can be made.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip install --disable-pip-version-check --require-hashes --no-deps
# Files stay whole, for what they share; they are given out in the order of tests/fixtures/order.py.
PYTEST := $(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder
# pip draws its own progress bars on a terminal and stays quiet elsewhere.
QUIET := $(shell test -t 1 || echo --quiet)

.DEFAULT_GOAL := help
.PHONY: help run test quick test-ray bench lint format lock screenshots stripe-smoke messages

help: ## print this
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

run: $(VENV)/app ## set everything up and start the marketplace
	@exec $(PY) manage.py up

test: $(VENV)/dev ## set everything up and run all tests
	@$(PY) -m tests.chromium
	@$(PYTEST)

quick: $(VENV)/dev ## the same without what trains models, kills processes or drives a browser
	@$(PYTEST) -m "not slow"

bench: $(VENV)/dev ## measure our speed; a table and plots in var/bench/ (15 minutes)
	@command -v wrk >/dev/null || { [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq wrk >/dev/null; } || \
	  { echo "wrk makes the load: run 'sudo apt-get install wrk', then again." >&2; exit 2; }
	@$(PY) -m benchmarks

test-ray: $(VENV)/dev ## the same on a real local Ray cluster (installs Ray, an optional extra)
	@$(PIP) $(QUIET) -r requirements/ray.txt
	@$(PY) -m pytest -q tests/drills/test_on_a_ray_cluster.py tests/drills/test_a_ray_cluster_goes.py

lint: $(VENV)/dev ## style, types, import contracts, deployment checks, missing migrations
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-cache
	@data=$$(mktemp -d); trap 'rm -rf "$$data"' EXIT; set -e; export MERCATO_DATA_DIR="$$data"; set -x; \
	  $(PY) manage.py makemigrations --check --dry-run; \
	  SITE_URL=https://mercato.example EMAIL_URL=smtp+tls://u:p@mail.example:587 SECRET_KEY=$$($(PY) -c 'import secrets; print(secrets.token_urlsafe(60))') \
	  ALLOWED_HOSTS=mercato.example $(PY) manage.py check --deploy --fail-level WARNING

format: $(VENV)/dev ## put the code into the house's form
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

screenshots: $(VENV)/dev ## walk a newcomer's way in a browser; pictures in var/screenshots/
	@$(PY) -m tests.chromium
	@$(PY) -m pytest tests/journeys -q

stripe-smoke: $(VENV)/app ## walk through the journey of money at Stripe: STRIPE_API_KEY=sk_test_… (else at the sandbox)
	@data=$$(mktemp -d); trap 'rm -rf "$$data"' EXIT; \
	  MERCATO_DATA_DIR="$$data" STRIPE_WEBHOOK_SECRET=$${STRIPE_WEBHOOK_SECRET:-whsec_unused} env -u DATABASE_URL $(PY) manage.py stripe_smoke

messages: $(VENV)/dev ## collect the strings to translate, and compile the translations (needs gettext)
	$(PY) manage.py makemessages -l zh_Hans --no-obsolete --ignore .venv --ignore var
	$(PY) manage.py makemessages -l zh_Hans --no-obsolete -d djangojs --ignore .venv --ignore var --ignore static/vendor
	$(PY) manage.py compilemessages -l zh_Hans --ignore .venv --ignore var

lock: $(VENV)/dev ## solve the requirements anew
	@$(PY) -m pip install --quiet uv
	@cd requirements && for f in app dev ray; do ../$(VENV)/bin/uv pip compile --quiet --override left-out.txt --upgrade --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --custom-compile-command "make lock" $$f.in -o $$f.txt; done

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Mercato needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	@echo "Making $(VENV) …"
	@# Debian ships venv apart from Python: as root it is one package away.
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || { rm -rf $(VENV); \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Installing python3-venv …"; apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null && $(PYTHON) -m venv $(VENV); \
	  else echo "Python's venv module is missing: run 'sudo apt-get install python3-venv', then again." >&2; exit 2; fi; }

$(VENV)/app: requirements/app.txt | $(VENV)/bin/python
	@echo "Installing Mercato's libraries (about 400 MB, once) …"
	@$(PIP) $(QUIET) -r $<
	@touch $@

$(VENV)/dev: requirements/dev.txt | $(VENV)/bin/python
	@echo "Installing the libraries for development …"
	@$(PIP) $(QUIET) -r $<
	@touch $@ $(VENV)/app
