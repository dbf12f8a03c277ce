#!/usr/bin/env bash
# Install mmddas, search a policy on the built-in data set, train with it and without it, show the result.
#   bash tools/quickstart.sh [SEED]
cd "$(dirname "${BASH_SOURCE[0]}")/.."
SEED=${1:-0}
WORK=work_dirs/quickstart_seed$SEED
set --  # a sourced script would take this one's arguments for its own
source tools/setup_env.sh

# Two runs side by side on two cores: one thread each.
export OMP_NUM_THREADS=1
rm -rf "$WORK"  # of an earlier quick start
mkdir -p "$WORK"
# What runs in the background would go on where this script is stopped.
trap 'kill $(jobs -p) 2> /dev/null || true' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
step() { echo "== [$SECONDS s] $*"; }
# Waits for a run in the background; shows the end of its log if it failed.
finish() { wait "$1" || { tail -n 20 "$2" >&2; echo "FAILED: see $2" >&2; exit 1; }; }

step "Drawing the data set: S_train as drawn, S_val and the held-out test images as photographic negatives"
python tools/dataset_tools/make_shapes.py --out-dir data/shapes

step "Training without a policy, in the background (log: $WORK/baseline.log)"
python tools/train.py configs/ddas/retinanet_thin_shapes_baseline.py --work-dir "$WORK/baseline" \
    --cfg-options randomness.seed="$SEED" > "$WORK/baseline.log" 2>&1 &
BASELINE=$!

step "Searching a policy: two to four minutes"
# A bar in a terminal, and the lines of the log elsewhere.
QUIET=(); [ ! -t 1 ] || QUIET=(log_level=WARNING)
python tools/search.py configs/ddas/retinanet_thin_shapes.py --work-dir "$WORK/search" \
    --cfg-options randomness.seed="$SEED" "${QUIET[@]}" &
wait $!  # and not in the foreground: this script hears signals while it waits

step "Training with the policy (log: $WORK/policy.log)"
python tools/train.py configs/ddas/retinanet_thin_shapes_train.py --work-dir "$WORK/policy" \
    --cfg-options policy_file="$WORK/search/policy.json" randomness.seed="$SEED" > "$WORK/policy.log" 2>&1 &
POLICY=$!
python tools/analysis_tools/browse_augment.py configs/ddas/retinanet_thin_shapes_train.py \
    --policy "$WORK/search/policy.json" --out "$WORK/augmented.png" > /dev/null
finish "$BASELINE" "$WORK/baseline.log"
finish "$POLICY" "$WORK/policy.log"

step "Result"
python tools/analysis_tools/report_quickstart.py "$WORK"
echo "== Done in $SECONDS s"
