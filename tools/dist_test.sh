#!/usr/bin/env bash
# Evaluate on several GPUs: tools/dist_test.sh CONFIG CHECKPOINT GPUS [arguments of test.py]
# On several machines, run it on each with NNODES, NODE_RANK, MASTER_ADDR and PORT set.

source "$(dirname "$0")/launch.sh"
needs 3 "$@"
launch_distributed "$3" test.py "$1" "$2" "${@:4}"
