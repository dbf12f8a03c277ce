#!/usr/bin/env bash
# Search on several GPUs: tools/dist_search.sh CONFIG GPUS [arguments of search.py]
# On several machines, run it on each with NNODES, NODE_RANK and MASTER_ADDR set.

CONFIG=$1
GPUS=$2
NNODES=${NNODES:-1}
NODE_RANK=${NODE_RANK:-0}
PORT=${PORT:-29500}
MASTER_ADDR=${MASTER_ADDR:-127.0.0.1}
TOOLS=$(dirname "$0")

PYTHONPATH="$TOOLS/..":${PYTHONPATH:-} python -m torch.distributed.run \
    --nnodes="$NNODES" --node_rank="$NODE_RANK" --master_addr="$MASTER_ADDR" --master_port="$PORT" \
    --nproc_per_node="$GPUS" \
    "$TOOLS/search.py" "$CONFIG" --launcher pytorch "${@:3}"
