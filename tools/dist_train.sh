#!/usr/bin/env bash
# Train on several GPUs: tools/dist_train.sh CONFIG GPUS [arguments of train.py]
# On several machines, run it on each with NNODES, NODE_RANK, MASTER_ADDR and PORT set.

source "$(dirname "$0")/launch.sh"
needs 2 "$@"
launch_distributed "$2" train.py "$1" "${@:3}"
