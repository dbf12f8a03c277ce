#!/usr/bin/env bash
# Install mmddas and run its checks and tests: bash tools/run_tests.sh [arguments of pytest]
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/setup_env.sh requirements/tests.txt

echo "== ruff"
ruff check .
ruff format --check .
echo "== import-linter"
lint-imports | tail -n 8
echo "== pytest"
# Two processes of one thread each, for two cores.
OMP_NUM_THREADS=1 python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder "$@"
