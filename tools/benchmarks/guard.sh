#!/usr/bin/env bash
# Whether operations and search steps still cost what they may, beside what they are measured against: three minutes, on
# a machine with nothing else to do. Ends with an error where a ratio is above its limit.
#   bash tools/benchmarks/guard.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}

[ -e data/shapes/meta.json ] || python tools/dataset_tools/make_shapes.py --out-dir data/shapes
python tools/benchmarks/operations.py --check
python tools/benchmarks/search_step.py configs/ddas/retinanet_thin_shapes.py --repeats 30 --at-most 1.03 \
    --work-dir work_dirs/guard \
    --cfg-options train_dataloader.batch_size=16 train_cfg.policy_dataloader.batch_size=16
echo "== All ratios are within their limits"
