#!/bin/bash
@DIRECTIVES@

# Starts Ray on every node of this job, runs the spec on it, and leaves nothing behind.
# Written by `craftc submit --slurm`; it may be edited and given to sbatch as it is.
set -euo pipefail

python=@PYTHON@
spec=@SPEC@
runs_dir=@RUNS_DIR@
cd @ROOT@

# Jobs that share a node must not meet: a port and a folder for each. Short, for Ray's sockets lie below it.
export RAY_TMPDIR="/tmp/craftc-$SLURM_JOB_ID"
export RAY_USAGE_STATS_ENABLED=0
# Only this job's processes may talk to this job's Ray.
export RAY_AUTH_MODE=token
RAY_AUTH_TOKEN=$("$python" -c 'import secrets; print(secrets.token_hex(32))')
export RAY_AUTH_TOKEN
# The run notes by what it was submitted, for `craftc status` and `craftc stop`.
export CRAFTC_SUBMISSION="@NAME@-j$SLURM_JOB_ID"
port=$((20000 + SLURM_JOB_ID % 10000))
mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=${nodes[0]}
# This script runs on the first node.
ip=$("$python" -c 'import ray.util; print(ray.util.get_node_ip_address())')

ray_on_this_job=("$python" -m ray.scripts.scripts start --block --disable-usage-stats
                 --num-cpus="$SLURM_CPUS_PER_TASK" --num-gpus=@GPUS@)
started=()
run=

# shellcheck disable=SC2329  # the trap calls it
cleanup() {
  trap '' TERM
  if ((${#started[@]})); then
    kill -TERM "${started[@]}" 2>/dev/null || true
    wait "${started[@]}" 2>/dev/null || true
  fi
  srun --quiet --overlap --nodes="${#nodes[@]}" --ntasks="${#nodes[@]}" rm -rf "$RAY_TMPDIR" || true
}
trap cleanup EXIT
# Told to stop: pass it on, and the run stops where it can be resumed.
trap 'if [[ -n $run ]]; then kill -TERM "$run" 2>/dev/null; else exit 130; fi' TERM INT

srun --quiet --overlap --nodes=1 --ntasks=1 --nodelist="$head" \
  "${ray_on_this_job[@]}" --head --node-ip-address="$ip" --port="$port" --include-dashboard=false &
started+=($!)
until (: > "/dev/tcp/$ip/$port") 2>/dev/null; do
  kill -0 "${started[0]}" 2>/dev/null || { echo "Ray did not start on $head" >&2; exit 1; }
  sleep 1
done

if ((${#nodes[@]} > 1)); then
  workers=$((${#nodes[@]} - 1))
  srun --quiet --overlap --nodes="$workers" --ntasks="$workers" --exclude="$head" \
    "${ray_on_this_job[@]}" --address="$ip:$port" &
  started+=($!)
fi
"$python" -m craftc.runtime.on_ray.wait_for_nodes "$ip:$port" "${#nodes[@]}"

"$python" -m craftc run "$spec" --address "$ip:$port" --runs-dir "$runs_dir" &
run=$!
status=0
wait "$run" || status=$?
# A signal ends the first wait before the run has ended.
if kill -0 "$run" 2>/dev/null; then
  status=0
  wait "$run" || status=$?
fi
exit "$status"
