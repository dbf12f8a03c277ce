#!/usr/bin/env bash
# Search on several GPUs: tools/dist_search.sh CONFIG GPUS [arguments of search.py]
# On several machines, run it on each with NNODES, NODE_RANK, MASTER_ADDR and PORT set.

source "$(dirname "$0")/launch.sh"
needs 2 "$@"
launch_distributed "$2" search.py "$1" "${@:3}"
