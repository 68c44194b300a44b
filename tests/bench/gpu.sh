#!/bin/sh
# Run tests.bench.gpu on a machine with torch and Triton and no network, from a checkout.
# Usage: sh tests/bench/gpu.sh KIT [options of tests.bench.gpu]; KIT is the folder of `make bench-gpu-kit`.
set -eu
python=${PYTHON:-python3}
[ $# -ge 1 ] && [ -d "$1" ] || { echo "usage: sh tests/bench/gpu.sh KIT [options]; KIT: the folder that make bench-gpu-kit filled" >&2; exit 2; }
kit=$1
shift
cd "$(dirname "$0")/../.."
mkdir -p build/typed
ln -sfn ../.. build/typed/skewbench
"$python" -m pip install --quiet --disable-pip-version-check --no-index --no-deps --upgrade --target build/gpu-packages "$kit"/*.whl
PYTHONPATH=build/gpu-packages:build/typed:.${PYTHONPATH:+:$PYTHONPATH}
export PYTHONPATH OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1
exec "$python" -m tests.bench.gpu "$@"
