#!/usr/bin/env bash
# Search under Slurm: tools/slurm_search.sh PARTITION JOB_NAME CONFIG WORK_DIR [arguments of search.py]
# GPUS, GPUS_PER_NODE (8 each), CPUS_PER_TASK (5) and SRUN_ARGS come from the environment.

source "$(dirname "$0")/launch.sh"
needs 4 "$@"
launch_slurm "$1" "$2" search.py "$3" --work-dir "$4" "${@:5}"
