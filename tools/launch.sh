# Sourced by dist_*.sh and slurm_*.sh: how a tool is started on several GPUs. Not run by itself.

TOOLS=$(dirname "${BASH_SOURCE[0]}")
export PYTHONPATH="$TOOLS/..":${PYTHONPATH:-}

# needs COUNT "$@": where arguments are missing or help is asked for, print what the script begins with, and end.
needs() {
    local count=$1 status=2
    shift
    case "${1:-}" in
        -h | --help) status=0 ;;
        *) [ $# -lt "$count" ] || return 0 ;;
    esac
    sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
    exit "$status"
}

# launch_distributed GPUS TOOL [ARGUMENT ...]: with torchrun, on this machine or, with NNODES, NODE_RANK and
# MASTER_ADDR set on each of them, on several. It takes the shell's place, so that signals reach it.
launch_distributed() {
    if ! [[ "$1" =~ ^[1-9][0-9]*$ ]]; then
        echo "$0: the number of GPUs is expected, got '$1'" >&2
        exit 2
    fi
    exec python -m torch.distributed.run \
        --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" \
        --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
        --nproc_per_node="$1" "$TOOLS/$2" "${@:3}" --launcher pytorch
}

# launch_slurm PARTITION JOB_NAME TOOL [ARGUMENT ...]: with srun; GPUS, GPUS_PER_NODE, CPUS_PER_TASK and SRUN_ARGS
# (split into words) come from the environment.
launch_slurm() {
    exec srun --partition="$1" --job-name="$2" \
        --gres=gpu:"${GPUS_PER_NODE:-8}" --ntasks="${GPUS:-8}" --ntasks-per-node="${GPUS_PER_NODE:-8}" \
        --cpus-per-task="${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
        python -u "$TOOLS/$3" "${@:4}" --launcher slurm
}
