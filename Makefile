# What there is to do here. `make` alone lists it; `make demo` and `make test` set up all they need by themselves.

# The first Python that runs and is new enough; a name on PATH may be a shim for a version that is not there.
PYTHON ?= $(shell for name in python3 python3.11 python3.12 python3.13; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
READY := .venv/.ready
ZOO := .venv/.zoo-ready
ZOO_PACKAGES := golang-go iproute2 libnginx-mod-http-lua nginx-light
BROWSER := .venv/.browser-ready
BROWSER_PACKAGES := chromium
LAB := .venv/.lab-ready
LAB_PACKAGES := systemd-container debootstrap iproute2 openssh-client

.DEFAULT_GOAL := help
.PHONY: help demo lab test check bench lock clean

help: ## list what there is
	@grep -E '^[a-z]+: .*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 10

demo: $(READY) ## set up, then flood one server and say what it does (under a minute after the set-up)
	.venv/bin/floodmark run fastapi-uvicorn-sync --requests 1000 --within 0 --hold 5

lab: $(READY) $(LAB) ## several hosts on this machine: a master, two workers, a target (Linux, root)
	$(SUDO) .venv/bin/floodmark lab up

test: $(READY) $(ZOO) $(BROWSER) $(LAB) ## set up, then run all tests
	.venv/bin/pytest -n 3 --dist loadfile

check: $(READY) ## formatter, linter, types, import contracts, playbooks
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/ansible-lint --offline --profile production -q ansible

bench: $(READY) ## print the figures that docs/benchmarks.md quotes
	.venv/bin/python benchmarks/all.py

lock: $(READY) ## resolve every extra again into requirements.lock
	.venv/bin/pip install --quiet uv
	.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --all-extras --generate-hashes \
		--no-emit-index-url --no-annotate --no-header pyproject.toml --output-file requirements.lock

clean: ## remove the environment and every cache
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -r {} +

# Everything is installed from the lock, by hash; then this checkout itself, without looking at the network again.
$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { \
		echo "Python 3.11 or later is needed and not on PATH: apt-get install python3.11, or make PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "installing python3-venv"; $(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq python3-venv; }
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	.venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	.venv/bin/python -m compileall -q src agents deploy locustfiles
	@touch $@

# What pip does not bring: Go, nginx with Lua, and `ip` for a test of a network that is cut. Where it cannot be installed
# these targets, and that test, are skipped, with the reason.
# An nginx that comes with this is stopped: the zoo starts its own, and nobody asked for one on port 80.
$(ZOO): $(READY)
	@if command -v go && command -v ip && test -e /usr/lib/nginx/modules/ngx_http_lua_module.so; then :; \
	elif command -v apt-get && { test "$$(id -u)" = 0 || sudo -n true; } 2>/dev/null; then \
		echo "installing $(ZOO_PACKAGES)" >&2; test -e /usr/sbin/nginx && had=yes; \
		$(SUDO) apt-get update -qq && $(SUDO) env DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -qq --no-install-recommends $(ZOO_PACKAGES); \
		if test -z "$$had" && test -d /run/systemd/system; then $(SUDO) systemctl disable --now --quiet nginx; fi; \
	else echo "not installed, their targets are skipped: apt-get install $(ZOO_PACKAGES)" >&2; fi >/dev/null
	@touch $@

# The browser that the web UI's tests look with. Where it cannot be installed they are skipped, with the reason.
$(BROWSER): $(READY)
	@if command -v chromium; then :; \
	elif command -v apt-get && { test "$$(id -u)" = 0 || sudo -n true; } 2>/dev/null; then \
		echo "installing $(BROWSER_PACKAGES)" >&2; $(SUDO) apt-get update -qq && \
		$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(BROWSER_PACKAGES); \
	else echo "not installed, the web UI is not looked at: apt-get install $(BROWSER_PACKAGES)" >&2; fi >/dev/null
	@touch $@

# What the lab's hosts are made with. Where it cannot be installed the lab's tests are skipped, with the reason.
$(LAB): $(READY)
	@if command -v systemd-nspawn && command -v debootstrap && command -v ip && command -v ssh; then :; \
	elif command -v apt-get && { test "$$(id -u)" = 0 || sudo -n true; } 2>/dev/null; then \
		echo "installing $(LAB_PACKAGES)" >&2; $(SUDO) apt-get update -qq && \
		$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(LAB_PACKAGES); \
	else echo "not installed, there is no lab: apt-get install $(LAB_PACKAGES)" >&2; fi >/dev/null
	@touch $@
