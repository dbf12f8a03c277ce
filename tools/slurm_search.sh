#!/usr/bin/env bash
# Search under Slurm: tools/slurm_search.sh PARTITION JOB_NAME CONFIG WORK_DIR [arguments of search.py]
# GPUS, GPUS_PER_NODE, CPUS_PER_TASK and SRUN_ARGS are taken from the environment.

PARTITION=$1
JOB_NAME=$2
CONFIG=$3
WORK_DIR=$4
GPUS=${GPUS:-4}
GPUS_PER_NODE=${GPUS_PER_NODE:-4}
CPUS_PER_TASK=${CPUS_PER_TASK:-5}
SRUN_ARGS=${SRUN_ARGS:-}
TOOLS=$(dirname "$0")

# SRUN_ARGS is split into words on purpose.
PYTHONPATH="$TOOLS/..":${PYTHONPATH:-} srun --partition="$PARTITION" --job-name="$JOB_NAME" \
    --gres=gpu:"$GPUS_PER_NODE" --ntasks="$GPUS" --ntasks-per-node="$GPUS_PER_NODE" \
    --cpus-per-task="$CPUS_PER_TASK" --kill-on-bad-exit=1 $SRUN_ARGS \
    python -u "$TOOLS/search.py" "$CONFIG" --work-dir "$WORK_DIR" --launcher slurm "${@:5}"
