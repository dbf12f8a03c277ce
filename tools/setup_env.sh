#!/usr/bin/env bash
# Sourced by quickstart.sh and run_tests.sh, in the checkout: an environment with mmddas and what it needs.
# Uses the active virtual environment, else .venv in the checkout; installs only what has changed since the last time.
#   source tools/setup_env.sh [requirements file ...]

# A failing command ends the script with its name.
set -euo pipefail
trap 'echo "FAILED: $BASH_COMMAND (line $LINENO)" >&2' ERR

if [[ -n "${VIRTUAL_ENV:-}" ]]; then
    echo "== Environment: $VIRTUAL_ENV (active)"
else
    PYTHON=$(command -v python3 || command -v python)
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
        || { echo "mmddas needs Python 3.10 or newer, found $("$PYTHON" --version)" >&2; exit 1; }
    if [[ ! -f .venv/bin/activate ]]; then
        # Where making one was interrupted, or ensurepip missing, there is half of one.
        if [[ -e .venv && ! -f .venv/pyvenv.cfg ]]; then
            echo ".venv is no virtual environment of Python's: activate it, or move it away" >&2; exit 1
        fi
        echo "== Environment: .venv (new)"
        "$PYTHON" -m venv --clear .venv
    else
        echo "== Environment: .venv"
    fi
    source .venv/bin/activate
fi

install_requirements() {
    local stamp="$VIRTUAL_ENV/.mmddas-$(cat setup.py pyproject.toml requirements/*.txt "$@" | cksum | cut -d' ' -f1)"
    [[ -f "$stamp" ]] && return
    echo "== Installing (PyTorch takes a minute or two) ..."
    local pip=(python -m pip install --quiet --disable-pip-version-check --constraint requirements/constraints.txt)
    "${pip[@]}" --requirement requirements/runtime.txt
    # MMCV's operators take many minutes to compile; mmddas brings what detectors need of them from torchvision.
    local all=(--requirement requirements/mminstall.txt)
    for file in "$@"; do all+=(--requirement "$file"); done
    MMCV_WITH_OPS=0 "${pip[@]}" "${all[@]}"
    # opencv-python needs a display's libraries; servers without them get the headless build.
    python -c 'import cv2' 2>/dev/null \
        || "${pip[@]}" --force-reinstall --no-deps opencv-python-headless
    "${pip[@]}" --no-deps --editable .
    touch "$stamp"
}

install_requirements "$@"
