#!/usr/bin/env bash
# Install mmddas, search a policy on the built-in data set, train with it and without it, show the result.
#   bash tools/quickstart.sh [SEED]
cd "$(dirname "${BASH_SOURCE[0]}")/.."
SEED=${1:-0}
WORK=work_dirs/quickstart_seed$SEED
source tools/setup_env.sh

# Prints a run's telling lines while it goes; all of it is in the log.
follow() { grep --line-buffered -E "$1" | sed -u -E 's/^.*mmengine - INFO - //; s/  (loss_|grad_norm|lr|memory|data_time|skipped|loss:)[^ ]* [^ ]*//g'; }

mkdir -p "$WORK"
echo "== Drawing the data set: S_train as drawn, S_val and the held-out test images as photographic negatives"
python tools/dataset_tools/make_shapes.py --out-dir data/shapes

echo "== Searching a policy (log: $WORK/search.log)"
python tools/search.py configs/ddas/retinanet_thin_shapes.py --work-dir "$WORK/search" \
    --cfg-options randomness.seed="$SEED" 2>&1 | tee "$WORK/search.log" | follow 'Policy after'

echo "== Training with the policy and without it, side by side (logs: $WORK/policy.log, $WORK/baseline.log)"
export OMP_NUM_THREADS=1
python tools/train.py configs/ddas/retinanet_thin_shapes_train.py --work-dir "$WORK/policy" \
    --cfg-options policy_file="$WORK/search/policy.json" randomness.seed="$SEED" > "$WORK/policy.log" 2>&1 &
python tools/train.py configs/ddas/retinanet_thin_shapes_baseline.py --work-dir "$WORK/baseline" \
    --cfg-options randomness.seed="$SEED" > "$WORK/baseline.log" 2>&1 \
    || { tail -n 20 "$WORK/baseline.log"; exit 1; }
wait $! || { tail -n 20 "$WORK/policy.log"; exit 1; }

python tools/analysis_tools/browse_augment.py configs/ddas/retinanet_thin_shapes_train.py \
    --policy "$WORK/search/policy.json" --out "$WORK/augmented.png"
python tools/analysis_tools/report_quickstart.py "$WORK"
