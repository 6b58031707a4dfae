# Every target does its own set-up: a machine with Python 3.11 or later, make and git needs nothing else.
#
#   make demo          stream a generated population through the local stack
#   make test          all tests, but for long ones, those on Spark or of Terraform, and those that install packages anew
#   make test-spark    those on Spark, but for long ones: F recomputed, compared with what is live, profiled
#   make test-long     files that take half a minute and more: the warehouse in depth, mutants, the canary, commands on Spark
#   make test-infra    Terraform: form, pages, least privilege, settings as in the code; each module's tests, where terraform is installed
#   make test-installs  each extra and each lock, installed anew by itself
#   make test-fast     those that need no server and take no seconds each
#   make oracle        F beside a second F that shares no code with it, over HISTORIES=5000 random histories
#   make torture       random schedules, faults and kills on a real Redis, for MINUTES=10
#   make fuzz          INPUTS=10000000 damaged inputs for the decoders of all formats: each is events or reasons
#   make proof         order, concurrency and rebuild at full length (some half an hour): each says whether it held
#   make show-house    what identity, layout and tests of F must show: a line a figure with its floor
#   make show-trust    what hostile events, files, rules, pages and users can do: a line a figure with its floor
#   make show-sources  what sources may send, and what becomes of it: a line a figure with its floor
#   make show-files    files and applications as sources: a line a figure with its floor
#   make show-warehouse  the warehouse that analysts read: a line a figure with its floor
#   make show-spark      F on Spark: a line a figure with its floor
#   make show-aws        the parts of AWS: a line a figure with its floor
#   make show-terraform  Terraform, what it deploys and what that costs: a line a figure with its floor
#   make show-matching   matching, learning, blocking and rules on labelled sets and cases: a line a figure with its floor
#   make eval          its sections about accuracy alone: the packs as they are, and trained, beside the best peer's figures
#   make check         linter, formatter, types, layers, form of commits, wire contracts: what must hold before a commit, beside the tests
#   make layers        write the table of layers in ARCHITECTURE.md anew
#   make dictionary    write the page of the warehouse's columns anew, from the schema
#   make rules-reference  write the page of the rule language's names anew, from the code
#   make contracts     write the documents of the wire contracts anew, from the models
#   make contracts-release  take them for the released ones, which make check compares with
#   make dbt           install dbt for the package in integrations/dbt, which make test then runs, too
#   make game-day      exercises: something is killed or refused, all is well again, and the state is F (docs/operate/game-day.md)
#   make splink        install Splink, which make show-spark then runs beside F on the same records
#   make kcl           install the KCL with its Java daemon, under which make show-aws then runs the resolve consumer
#   make ministack     install an emulator of AWS that runs zips, to which make test-infra and make show-terraform then deploy
#   make bench         events per second of the engine, beside what the machine could do at best; of decoders and publisher
#   make checkov       look at infra/terraform with Checkov; what is skipped has its reason in infra/terraform/.checkov.yaml
#   make infra-docs    write the inputs and outputs of Terraform's modules into their pages anew
#   make format        let the formatter and the linter mend what they can
#   make vectors       write the golden vectors anew, after F_VERSION was raised
#   make test-lowest   make test-fast on the lowest versions that pyproject.toml allows
#   make constraints   resolve the pinned dependencies anew, and write the lock files
#   make locks         write the lock files anew (requirements/), from the pins that there are
#   make package       build each Lambda function as a zip for x86_64 and arm64, into build/packages
#   make package-glue  build what a job on Glue is made of, into build/glue
#   make audit         ask for known vulnerabilities of what the lock files install
#   make sbom          write what each lock file installs as a CycloneDX document, into build/sbom
#   make clean         remove .venv and everything else that these targets have made
#
# PYTHON=/path/to/python3.12   the interpreter to build .venv from, when it is first made
# WORKERS=1                    how many tests run at a time
# BREAKS=yes                   make contracts-release although something breaks
# ARGS="-k decode"             more arguments for mdm-stream demo, pytest or the benchmark

# Paths are relative throughout, so the checkout may live at a path with spaces.
BIN = .venv/bin
PYTHON =
WORKERS = 2
MINUTES = 10
HISTORIES = 5000
INPUTS = 10000000
BREAKS =
ARGS =

# Not empty where .venv is absent or its interpreter is gone: then what is stamped as installed is not.
INSTALL_ANEW := $(shell .venv/bin/python -c pass 2>/dev/null || echo force)

# Byte code is left to the first import (.ci/environment): where none may be written, each of the hundreds of processes
# that tests start would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

# The files of tests in which a text stands.
files_with = $$(grep -rlF --include='test_*.py' '$(1)' tests | sort)

# Two targets asked for at once must not install into one .venv at the same time.
.NOTPARALLEL:
.PHONY: help demo test test-fast test-spark test-infra test-installs test-long test-lowest locks sbom audit package package-glue torture oracle fuzz proof show-house show-trust show-sources show-files show-warehouse show-spark show-aws show-terraform show-matching eval game-day check layers dictionary rules-reference contracts contracts-release dbt splink kcl ministack bench checkov infra-docs format vectors constraints clean force

help:
	@sed -n 's/^#   //p' Makefile

# Stamps: when this checkout was last installed with an extra. `dev` includes `local`.
.venv/.installed-local: pyproject.toml constraints.txt $(INSTALL_ANEW)
	@PYTHON="$(PYTHON)" sh .ci/environment local
	@touch $@

.venv/.installed-dev: pyproject.toml constraints.txt requirements/ci.lock $(INSTALL_ANEW)
	@PYTHON="$(PYTHON)" sh .ci/environment dev
	@touch .venv/.installed-local $@

demo: .venv/.installed-local
	@$(BIN)/mdm-stream demo $(ARGS)

# A file's tests stay on one worker, so a server that they share is started once; files begin in the order of
# tests/conftest.py, long ones first, and not by how many tests they have. The hash seed is another one in each
# run, so that nothing comes to rely on the order of a set, but the workers share it: they must agree on the tests' names.
test: .venv/.installed-dev
	@PYTHONHASHSEED=$${PYTHONHASHSEED:-$$$$}; export PYTHONHASHSEED; echo "PYTHONHASHSEED=$$PYTHONHASHSEED"; \
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not downloads and not spark and not infra and not long" $(ARGS)

# Files that take half a minute and more each: among the rest, everything would wait for it. Here and below only files
# that may have such tests are read, since reading all takes a minute of each worker.
test-long: .venv/.installed-dev
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "long and not downloads and not infra" $(call files_with,mark.long) $(ARGS)

# F on Spark, and what is compared with it. Needs Java 17, and is skipped without.
test-spark: .venv/.installed-dev
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "spark and not long and not downloads" $(call files_with,spark) $(ARGS)

# Skips what needs terraform, its provider or ministack where they are not to be had, and says so (-rs). TF_PLUGIN_DIR
# names a folder that has the provider.
test-infra: .venv/.installed-dev
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m infra -rs tests/infra $(ARGS)

# Each extra and each lock, installed into an environment of its own: minutes of downloads.
test-installs: .venv/.installed-dev
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m downloads $(call files_with,mark.downloads) $(ARGS)

# Files are not kept together here: no server is shared, and the longest file would be what all others wait for.
test-fast: .venv/.installed-dev
	@PYTHONHASHSEED=$${PYTHONHASHSEED:-$$$$}; export PYTHONHASHSEED; echo "PYTHONHASHSEED=$$PYTHONHASHSEED"; \
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not slow and not servers and not downloads and not spark and not infra and not long" $(ARGS)

oracle: .venv/.installed-dev
	@$(BIN)/python tests/oracle/run_oracle.py --histories $(HISTORIES) $(ARGS)

game-day: .venv/.installed-dev
	$(BIN)/python benchmarks/game_day.py $(ARGS)

torture: .venv/.installed-dev
	@PYTHONHASHSEED=$${PYTHONHASHSEED:-$$$$}; export PYTHONHASHSEED; \
	$(BIN)/python tests/torture/run.py --minutes $(MINUTES) $(ARGS)

fuzz: .venv/.installed-dev
	@$(BIN)/python tests/fuzz/run_fuzz.py --inputs $(INPUTS) --processes $(WORKERS) $(ARGS)

proof: .venv/.installed-dev
	$(BIN)/python benchmarks/shuffles.py
	$(BIN)/python benchmarks/workers.py
	$(BIN)/python benchmarks/rebuild.py

show-house: .venv/.installed-dev
	$(BIN)/python benchmarks/house.py $(ARGS)

show-trust: .venv/.installed-dev
	$(BIN)/python benchmarks/trust.py $(ARGS)

show-sources: .venv/.installed-dev
	$(BIN)/python benchmarks/sources.py $(ARGS)

show-files: .venv/.installed-dev
	$(BIN)/python benchmarks/files.py $(ARGS)

show-warehouse: .venv/.installed-dev
	$(BIN)/python benchmarks/warehouse.py $(ARGS)

show-spark: .venv/.installed-dev
	$(BIN)/python benchmarks/spark.py $(ARGS)

show-aws: .venv/.installed-dev
	$(BIN)/python benchmarks/aws.py $(ARGS)

show-terraform: .venv/.installed-dev
	$(BIN)/python benchmarks/terraform.py $(ARGS)

show-matching: .venv/.installed-dev
	$(BIN)/python benchmarks/matching.py $(ARGS)

eval: .venv/.installed-dev
	$(BIN)/python benchmarks/matching.py --only packs,trained $(ARGS)

check: .venv/.installed-dev
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python .ci/commits
	$(BIN)/mdm-stream contracts check --against "$$($(BIN)/python tests/support/contract_documents.py released)"

layers: .venv/.installed-dev
	$(BIN)/python tests/support/layers.py

dictionary: .venv/.installed-dev
	$(BIN)/python tests/support/warehouse_dictionary.py

rules-reference: .venv/.installed-dev
	$(BIN)/python tests/support/rules_reference.py

contracts: .venv/.installed-dev
	$(BIN)/python tests/support/contract_documents.py write

contracts-release: contracts
	$(BIN)/python tests/support/contract_documents.py release $(if $(filter yes,$(BREAKS)),--breaks)

# dbt has an environment of its own. The stamp lies in it, so that one that is gone is made again.
build/dbt/.installed: integrations/dbt/requirements.lock .venv/.installed-dev
	@sh .ci/dbt
	@touch $@

dbt: build/dbt/.installed

# Splink has an environment of its own, too: nothing of the project imports it.
build/splink/.installed: benchmarks/splink_requirements.lock .venv/.installed-dev
	@sh .ci/splink
	@touch $@

splink: build/splink/.installed

# The KCL, too, with all that the resolve consumer needs under it.
build/kcl/.installed: benchmarks/kcl_requirements.lock requirements/kcl.lock infra/docker/kcl/command.lock .venv/.installed-dev
	@sh .ci/kcl
	@touch $@

kcl: build/kcl/.installed

# The emulator of AWS that the smoke test deploys to.
build/ministack/.installed: tests/infra/ministack_requirements.lock .venv/.installed-dev
	@sh .ci/ministack
	@touch $@

ministack: build/ministack/.installed

bench: .venv/.installed-dev
	@$(BIN)/python benchmarks/engine.py $(ARGS)
	@$(BIN)/python benchmarks/decoders.py
	@$(BIN)/python benchmarks/publisher.py

checkov: .venv/.installed-dev
	@sh .ci/checkov $(ARGS)

infra-docs: .venv/.installed-dev
	@$(BIN)/python .ci/terraform_docs

format: .venv/.installed-dev
	$(BIN)/python -m ruff check --fix-only .
	$(BIN)/python -m ruff format .

vectors: .venv/.installed-dev
	@$(BIN)/python tests/core/golden_vectors/write.py

test-lowest: .venv/.installed-dev
	@sh .ci/lowest $(ARGS)

constraints:
	@PYTHON="$(PYTHON)" sh .ci/constraints
	@PYTHON="$(PYTHON)" sh .ci/locks

locks:
	@PYTHON="$(PYTHON)" sh .ci/locks

package: .venv/.installed-dev
	@$(BIN)/python .ci/package $(ARGS)

package-glue: .venv/.installed-dev
	@$(BIN)/python .ci/package glue

audit: .venv/.installed-dev
	@$(BIN)/python .ci/audit $(ARGS)

sbom:
	@PYTHON="$(PYTHON)" sh .ci/sbom

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -type d -name __pycache__ -prune -exec rm -rf {} +
