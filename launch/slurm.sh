#!/usr/bin/env bash
# One study on SLURM nodes: sbatch launch/slurm.sh STUDY.yaml [options of `studyhub launch`]
# launch/slurm.md says what is needed and what to do when it goes wrong. Change these lines to fit the cluster:
#SBATCH --job-name=studyhub
#SBATCH --nodes=2
#SBATCH --cpus-per-task=16
#SBATCH --time=04:00:00
##SBATCH --gpus-per-node=4
##SBATCH --partition=NAME
# These belong to the script: one Ray per node, five minutes' notice of the time limit to this script alone, and a queue to go back to.
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --signal=B:TERM@300
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=slurm-%x-%j.log
set -euo pipefail

if [ $# -eq 0 ]; then
    echo "a study is required: sbatch $0 STUDY.yaml [options of studyhub launch]" >&2
    exit 2
fi
venv=${STUDYHUB_VENV:-$PWD/.venv}
restarts=${STUDYHUB_RESTARTS:-100}
export STUDYHUB_HOME=${STUDYHUB_HOME:-$PWD}
export PATH="$venv/bin:$PATH"
if ! command -v studyhub >/dev/null; then
    echo "no studyhub in $venv/bin; set up the environment (make study), or name another with STUDYHUB_VENV" >&2
    exit 2
fi

# SLURM runs this script on the first node, which becomes Ray's head. A name may mean 127.0.1.1 there, so its address is given; on a machine
# with several networks STUDYHUB_HEAD_IP names the one that the nodes share.
nodes=$SLURM_JOB_NUM_NODES cpus=${SLURM_CPUS_PER_TASK:-$(nproc)}
head=${STUDYHUB_HEAD_IP:-$(hostname -I | cut -d ' ' -f 1)}
address=$head:$((20000 + SLURM_JOB_ID % 10000))

# A token of this job's own opens its Ray to nobody else on the cluster.
scratch=$PWD/.studyhub-$SLURM_JOB_ID
mkdir -p "$scratch"
trap 'rm -rf "$scratch"' EXIT
(umask 077 && od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$scratch/token")
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=$scratch/token
# Of this job's own as well: the usual /tmp/ray may be another user's.
export RAY_TMPDIR=/tmp/ray-$SLURM_JOB_ID
export RAY_USAGE_STATS_ENABLED=0 RAY_SYMMETRIC_RUN_CLUSTER_WAIT_TIMEOUT=300

# Time is nearly over (TERM), or someone wants the job to stop and stay stopped (INT): the launch lets running trials end their epoch.
again=yes
# shellcheck disable=SC2317,SC2329
stop() {
    echo "stopping: running trials end their epoch"
    kill -TERM "$(<"$scratch/pid")" 2>/dev/null || true
}
trap stop TERM
trap 'again=no; stop' INT

# On every node Ray; when all have come, on the head the launch. What Ray says of ending its own processes is left out.
# shellcheck disable=SC2016
launch='echo $$ >"$0/pid"; exec env RAY_ADDRESS="$1" studyhub launch "${@:2}"'
srun --nodes="$nodes" --ntasks="$nodes" --ntasks-per-node=1 --cpus-per-task="$cpus" \
    ray symmetric-run --address "$address" --min-nodes "$nodes" --num-cpus "$cpus" -- \
    bash -c "$launch" "$scratch" "$address" "$@" > >(grep --line-buffered -v ' scripts.py:') &
step=$!
# A signal ends a wait, not what is waited for.
while kill -0 "$step" 2>/dev/null; do wait "$step" || true; done
code=0
wait "$step" || code=$?
srun --nodes="$nodes" --ntasks="$nodes" --ntasks-per-node=1 rm -rf "$RAY_TMPDIR" || true

# 130: stopped before the end. What is left is done in the next turn of this job.
if [ "$code" -eq 130 ] && [ "$again" = yes ]; then
    if [ "${SLURM_RESTART_COUNT:-0}" -ge "$restarts" ]; then
        echo "not finished after $restarts turns: left as it is; sbatch it again to go on, or raise STUDYHUB_RESTARTS" >&2
        exit 1
    fi
    echo "not finished: back into the queue"
    trap '' TERM INT # SLURM ends this script now
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
