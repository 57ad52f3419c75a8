# Holdfast by hand: `make help`. Every target takes STACK= (default dev).
# Recipes are thin; what they do is in operations/, toolchain/, loadtests/ and test/.
STACK ?= dev
export STACK MACHINE NODE SCENARIO ARGS COMMAND REBOOT CONFIRM FORCE ONLY FROM AT KEEP

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help up preview test test-unit test-data test-monitoring test-alerts test-security test-acme lint bench chaos down doctor env load \
  maintain repair replace-machine restore rotate mysql-force availability spof clean toolchain

ts := node --import tsx
modules := node_modules/.package-lock.json

# The toolchain's environment, then the program in place of the shell, so that it gets the signals.
with_tools = @exports="$$($(ts) toolchain/main.ts env)" && eval "$$exports" && exec

help: ## list the targets
	@echo "usage: make TARGET [STACK=dev] [ARGS='more arguments for pulumi']"
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20

up: toolchain ## bring the stack up, or update it
	$(with_tools) $(ts) operations/up.ts

preview: toolchain ## show what an update would change
	$(with_tools) $(ts) operations/preview.ts

down: toolchain ## remove the stack (CONFIRM=name answers the question for an inventory)
	$(with_tools) $(ts) operations/down.ts

load: toolchain ## load the stack: SCENARIO=smoke, steady or roll
	$(with_tools) $(ts) loadtests/run.ts

maintain: toolchain ## drain MACHINE=, then REBOOT=1 or COMMAND="..." or wait, then bring it back
	$(with_tools) $(ts) operations/maintain.ts

repair: toolchain ## start, restart or replace the broken node NODE=
	$(with_tools) $(ts) operations/repair.ts

replace-machine: toolchain ## make MACHINE= anew with its nodes, dead or alive
	$(with_tools) $(ts) operations/replaceMachine.ts

restore: toolchain ## put the backup of stack FROM= as it was AT= (ISO time or latest) into this stack
	$(with_tools) $(ts) operations/restore.ts

rotate: toolchain ## replace every generated password, key and certificate in stages (KEEP=authority)
	$(with_tools) $(ts) operations/rotate.ts

mysql-force: toolchain ## start the database group from NODE= after a disaster (CONFIRM=NODE)
	$(with_tools) $(ts) operations/mysqlForce.ts

availability: toolchain ## say how available the stack was (ARGS=7d, or from and to)
	$(with_tools) $(ts) operations/availability.ts

spof: toolchain ## list every single point of failure of the stack (ARGS=--json)
	$(with_tools) $(ts) operations/spof.ts

test: toolchain lint ## check style, units, live stacks in the lab
	$(with_tools) $(ts) test/summary.ts unit e2e data

test-unit: $(modules) ## check what needs no stack
	@exec $(ts) test/summary.ts unit

test-data: toolchain ## the part of it that breaks database and cache
	$(with_tools) $(ts) test/summary.ts data

test-monitoring: toolchain ## check monitoring and alerts
	$(with_tools) $(ts) test/summary.ts monitoring

test-alerts: toolchain ## cause every alert's fault on a live stack of its own (ONLY=name for one)
	$(with_tools) $(ts) test/summary.ts alerts

test-security: toolchain ## check on a live stack of its own that nobody gets in who should not
	$(with_tools) $(ts) test/summary.ts security

test-acme: toolchain ## check on a live stack of its own that certificates come and are renewed by ACME
	$(with_tools) $(ts) test/summary.ts acme

lint: $(modules) ## types, eslint, format, shell scripts, Go
	@exec $(ts) test/lint.ts

bench: toolchain ## record times and ratios (ONLY=hello or ONLY=data)
	$(with_tools) $(ts) test/bench.ts

chaos: toolchain ## repeat faults on a live stack (ONLY=name for one)
	$(with_tools) $(ts) test/chaos.ts

doctor: $(modules) ## show each tool, its version and where it comes from
	@exec $(ts) toolchain/main.ts doctor

env: toolchain ## print exports for: eval "$(make -s env)"
	@exec $(ts) toolchain/main.ts env

clean: $(modules) ## remove built tools and caches (FORCE=1 while a stack is up)
	@exec $(ts) operations/clean.ts

# What is said here goes to stderr: `make -s env` prints exports alone.
toolchain: $(modules)
	@$(ts) toolchain/main.ts install >&2

$(modules): package-lock.json
	npm ci --no-audit --no-fund >&2
	@touch $@
