# podnet.upkeep: `make help` lists the targets. Everything they need (environments, packages, programs) they get themselves.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BUILD := $(CURDIR)/.build
COLLECTIONS := $(BUILD)/collections
INSTALLED := $(COLLECTIONS)/ansible_collections/podnet/upkeep
VERSION := $(shell sed -n 's/^version: *//p' galaxy.yml)
TARBALL := $(BUILD)/podnet-upkeep-$(VERSION).tar.gz
VENV := $(CURDIR)/.venv
LATEST := $(VENV)/core-latest
OLDEST := $(VENV)/core-2.19
LINT := $(VENV)/lint
IMPORTER := $(VENV)/galaxy-importer
EDA := $(VENV)/eda
DEMO_REPORTS := $(CURDIR)/demo-reports

# the newest ansible-core needs Python 3.12; where there is only 3.11, the demonstration and the tests use the oldest
PYTHON_LATEST := $(shell tests/tools/find_python.sh 3.12 3.13 3.14)
PYTHON_OLDEST := $(shell tests/tools/find_python.sh 3.11 3.12 3.13)
MAIN := $(if $(PYTHON_LATEST),$(LATEST),$(OLDEST))

export ANSIBLE_COLLECTIONS_PATH := $(COLLECTIONS)
export PYTHONPATH := $(COLLECTIONS):$(CURDIR)/tests
export PYTHONDONTWRITEBYTECODE := 1
export ANSIBLE_HOME := $(BUILD)/ansible
export ANSIBLE_LOCAL_TEMP := $(BUILD)/ansible/tmp
unexport ANSIBLE_CONFIG KUBECONFIG

RUN_STAGES = $(MAIN)/bin/python tests/tools/stages.py --reports $(BUILD)/reports
PYTEST = -m pytest -q --junitxml={junit}

.PHONY: help demo test test-unit test-testbed test-molecule test-interruptions test-long bench lint build pages install-collection venvs prerequisites binaries clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /\1\t/' | expand -t 20

# -- environments ----------------------------------------------------------------------------------------------------

prerequisites:
	@tests/tools/prerequisites.sh

define make_venv
	@test -n "$(1)" || { echo "no Python of the versions $(2) was found; install one" >&2; exit 1; }
	@echo "environment: $(@D) ($(1)) ..." >&2
	@rm -rf $(@D)
	@$(1) -m venv $(@D)
	@$(@D)/bin/pip install --quiet --disable-pip-version-check -r $(3)
	@touch $@
endef

$(LATEST)/.done: tests/requirements/core-latest.txt tests/requirements/common.txt | prerequisites
	$(call make_venv,$(PYTHON_LATEST),3.12 3.13 3.14,$<)
$(OLDEST)/.done: tests/requirements/core-2.19.txt tests/requirements/common.txt | prerequisites
	$(call make_venv,$(PYTHON_OLDEST),3.11 3.12 3.13,$<)
$(LINT)/.done: tests/requirements/lint.txt | prerequisites
	$(call make_venv,$(PYTHON_LATEST),3.12 3.13 3.14,$<)
$(IMPORTER)/.done: tests/requirements/galaxy-importer.txt | prerequisites
	$(call make_venv,$(PYTHON_LATEST),3.12 3.13 3.14,$<)
$(EDA)/.done: tests/requirements/eda.txt | prerequisites
	$(call make_venv,$(or $(PYTHON_LATEST),$(PYTHON_OLDEST)),3.11 3.12 3.13 3.14,$<)

ALL_VENVS := $(EDA)/.done $(if $(PYTHON_OLDEST),$(OLDEST)/.done) $(if $(PYTHON_LATEST),$(LATEST)/.done $(LINT)/.done $(IMPORTER)/.done)

venvs: $(ALL_VENVS) ## make all Python environments

# -- the collection as users get it ------------------------------------------------------------------------------------

build: $(MAIN)/.done ## build the tarball
	@mkdir -p $(BUILD)
	@$(MAIN)/bin/ansible-galaxy collection build --force --output-path $(BUILD) . >/dev/null

install-collection: build ## install the tarball into a scratch collection path
	@rm -rf $(INSTALLED)
	@$(MAIN)/bin/ansible-galaxy collection install --offline --force --no-deps -p $(COLLECTIONS) $(TARBALL) >/dev/null

binaries: $(MAIN)/.done ## find or build the programs of the testbed (once; cached)
	@$(MAIN)/bin/python -m testbed binaries

# -- the two commands ----------------------------------------------------------------------------------------------------

demo: install-collection ## the main job on this machine: a sick cluster, audit, report, repair, clean audit
	@$(MAIN)/bin/python -m demo --reports $(DEMO_REPORTS)

ROOT_TOOLS := root systemd-nspawn debootstrap
# a need that nothing meets where there is no Python for one of the two ansible-core: its stages are skipped with this reason
NEWEST := $(if $(PYTHON_LATEST),,python-3.12)
OLDER := $(if $(PYTHON_OLDEST),,python-3.11)
LINT_STAGES = \
  'ruff|$(NEWEST)|$(LINT)/bin/ruff check .' \
  'ruff-format|$(NEWEST)|$(LINT)/bin/ruff format --check .' \
  'mypy-collection|$(NEWEST)|env MYPYPATH=$(COLLECTIONS) $(LINT)/bin/mypy --config-file pyproject.toml --cache-dir $(BUILD)/mypy -p ansible_collections.podnet.upkeep.plugins' \
  'mypy-tests|$(NEWEST)|env MYPYPATH=$(COLLECTIONS):$(CURDIR)/tests $(LINT)/bin/mypy --config-file pyproject.toml --cache-dir $(BUILD)/mypy-tests -p testbed -p harness -p demo' \
  'mypy-tools|$(NEWEST)|env MYPYPATH=$(COLLECTIONS) $(LINT)/bin/mypy --config-file pyproject.toml --cache-dir $(BUILD)/mypy-tools tests/tools' \
  'ansible-lint|$(NEWEST)|env PATH=$(LINT)/bin:$(PATH) $(LINT)/bin/ansible-lint --offline --profile production' \
  'changelog|$(NEWEST)|$(LINT)/bin/antsibull-changelog lint' \
  'docs|$(NEWEST)|env PATH=$(LINT)/bin:$(PATH) $(LINT)/bin/python tests/tools/docs_lint.py' \
  'sanity|$(NEWEST)|tests/tools/sanity.sh $(TARBALL) $(LATEST)' \
  'galaxy-importer|$(NEWEST)|env PATH=$(IMPORTER)/bin:$(PATH) tests/tools/galaxy_importer.sh $(TARBALL) $(IMPORTER)'
UNIT_STAGES = \
  'unit-2.19|$(OLDER)|$(OLDEST)/bin/python $(PYTEST) -m "not long" tests/unit' \
  'unit-latest|$(NEWEST)|$(LATEST)/bin/python $(PYTEST) -m "not long" tests/unit'
# much of a test is waiting for the control plane: two testbeds side by side, each with whole files
TWO_TESTBEDS = -n 2 --dist loadfile
CONTROL_PLANE_STAGES = \
  'programs||$(MAIN)/bin/python -m testbed binaries' \
  'control-plane||$(MAIN)/bin/python $(PYTEST) $(TWO_TESTBEDS) -m "testbed and not hosts and not long" tests/integration'
# what does not depend on ansible-core runs on one of them
HOSTS_OF_OLDEST = hosts and not long$(if $(PYTHON_LATEST), and not once)
HOSTS_STAGES = \
  'hosts-2.19|$(ROOT_TOOLS) $(OLDER)|$(OLDEST)/bin/python $(PYTEST) -m "$(HOSTS_OF_OLDEST)" tests/integration' \
  'hosts-latest|$(ROOT_TOOLS) $(NEWEST)|$(LATEST)/bin/python $(PYTEST) -m "hosts and not long" tests/integration'
MOLECULE_STAGES = \
  'molecule|$(ROOT_TOOLS) $(NEWEST)|env PATH=$(LATEST)/bin:$(PATH) $(LATEST)/bin/molecule test --all --report'

test: venvs install-collection ## all tests, the real testbed included
	@$(RUN_STAGES) --lane $(LINT_STAGES) $(UNIT_STAGES) $(MOLECULE_STAGES) --lane $(CONTROL_PLANE_STAGES) $(HOSTS_STAGES)

# -- daily work ------------------------------------------------------------------------------------------------------------

lint: venvs install-collection ## every static check, ansible-test sanity and galaxy-importer included
	@$(RUN_STAGES) --lane $(LINT_STAGES)

test-unit: venvs install-collection ## unit tests on the oldest and the newest ansible-core
	@$(RUN_STAGES) --lane $(UNIT_STAGES)

test-testbed: venvs install-collection ## tests on the real control plane and real hosts
	@$(RUN_STAGES) --lane $(CONTROL_PLANE_STAGES) $(HOSTS_STAGES)

test-molecule: venvs install-collection ## molecule scenarios on the real testbed
	@$(RUN_STAGES) --lane $(MOLECULE_STAGES)

# every kill point and every fault, and none of it on a machine that two testbeds share
test-interruptions: venvs install-collection ## the whole matrix of interrupted runs on real hosts: more than an hour
	@$(RUN_STAGES) --lane \
	  'interruptions|$(ROOT_TOOLS)|$(MAIN)/bin/python $(PYTEST) -o junit_family=xunit1 $(wildcard tests/integration/test_interruption*.py) tests/integration/test_zero_failed_requests.py'

test-long: venvs install-collection ## long matrices and big sizes
	@$(RUN_STAGES) --lane 'long-unit||$(MAIN)/bin/python $(PYTEST) -m long tests/unit' \
	  'long|$(ROOT_TOOLS)|$(MAIN)/bin/python $(PYTEST) $(TWO_TESTBEDS) -o junit_family=xunit1 -m long tests/integration'

bench: install-collection ## one of the measurements in tests/bench: make bench NAME=reassign_overhead ARGS=3
	@$(if $(NAME),,$(error NAME is not given; one of: $(filter-out __init__,$(basename $(notdir $(wildcard tests/bench/*.py))))))cd tests && $(MAIN)/bin/python -m bench.$(NAME) $(ARGS)

pages: install-collection ## write the pages and manifests that are drawn from code
	@$(MAIN)/bin/python tests/tools/findings_page.py docs/docsite/rst/findings.rst
	@$(MAIN)/bin/python tests/tools/decision_path_page.py docs/docsite/rst/decision_path.rst
	@$(MAIN)/bin/python tests/tools/ipam_models_page.py docs/docsite/rst/ipam_models.rst
	@$(MAIN)/bin/python tests/tools/monitoring_page.py docs/docsite/rst/monitoring.rst
	@$(MAIN)/bin/python tests/tools/audit_access_manifest.py roles/audit_access/files/audit_access.yml
	@$(MAIN)/bin/python tests/tools/access_page.py docs/docsite/rst/access.rst roles/install_access/files

clean: ## remove what the targets made in the work tree (the cache of built programs stays)
	@rm -rf $(BUILD) $(VENV) $(DEMO_REPORTS)
