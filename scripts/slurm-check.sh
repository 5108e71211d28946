#!/usr/bin/env bash
# A sweep of twelve small runs on a Slurm cluster of two nodes on this machine (loopback alone), with workers killed, requeued and preempted:
# its tables must be the bytes of the same sweep carried out here. Needs root, and Debian's packages, which it installs; elsewhere it says
# so and skips. Takes some seven minutes, of which Slurm keeps requeued jobs waiting for four.
#   slurm-check.sh
set -euo pipefail
cd "$(dirname "$0")/.."
project=$PWD

skip() { printf 'skipped: %s\n' "$*"; exit 0; }
say() { printf '%s %s\n' "$(date +%T)" "$*"; }
die() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || skip "a cluster on this machine needs root"
if ! command -v slurmctld slurmd munged sbatch >/dev/null; then
    command -v apt-get >/dev/null || skip "Slurm is not here, and there is no apt-get"
    { apt-get update && apt-get install -y --no-install-recommends slurmctld slurmd munge slurm-client; } >/dev/null 2>&1 \
        || skip "Slurm's packages could not be installed: is the package server reachable?"
fi

D=$project/target/slurm-check
rm -rf "$D"
mkdir -p "$D"/munge "$D"/state "$D"/spool/n1 "$D"/spool/n2
export SLURM_CONF=$D/slurm.conf
cat >"$SLURM_CONF" <<CONF
ClusterName=check
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$D/munge/socket
CredType=cred/munge
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmctldPort=6817
StateSaveLocation=$D/state
SlurmdSpoolDir=$D/spool/%n
SlurmctldPidFile=$D/slurmctld.pid
SlurmdPidFile=$D/slurmd.%n.pid
SlurmctldLogFile=$D/slurmctld.log
SlurmdLogFile=$D/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
ReturnToService=2
KillWait=30
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName=n[1-2] NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=[6818-6819] CPUs=1 RealMemory=1000 State=UNKNOWN
PartitionName=main Nodes=n[1-2] Default=YES MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=REQUEUE GraceTime=5
PartitionName=high Nodes=n[1-2] MaxTime=INFINITE State=UP PriorityTier=10
CONF
cat >"$D/check.toml" <<'SWEEP'
title = "twelve small runs"
seeds = [0, 1, 2]
categories = ["gear", "fabric"]
set = { data.size = 64, model.backbone.name = "resnet18", model.backbone.weights = "none", model.stl.width = 16, model.tem.levels = 8, model.ptfem.scales = [1, 2, 4], model.sc.reduce = 16, model.sc.r = 2, train.batch = 6, train.epochs = 12, train.checkpoint_every_s = 0.5, run.threads = 1, run.device = "cpu", loss.consistency.enabled = false }

[[ablate]]
name = "score"
set = { model.self_calibration = false, model.stlnet = false }

[[ablate]]
name = "texture"
set = { model.stlnet = true }
SWEEP

cluster_down() {
    scontrol shutdown >/dev/null 2>&1 || true
    sleep 1
    for pid in "$D"/munge/pid "$D"/*.pid; do [ ! -e "$pid" ] || kill "$(cat "$pid")" 2>/dev/null || true; done
}
trap cluster_down EXIT
(umask 077 && dd if=/dev/urandom of="$D/munge/key" bs=1 count=128 status=none)
chmod 0755 "$D/munge"
chown -R root "$D/munge"
munged --force --key-file="$D/munge/key" --socket="$D/munge/socket" --pid-file="$D/munge/pid" --log-file="$D/munge/log" --seed-file="$D/munge/seed"
slurmctld -c
slurmd -N n1
slurmd -N n2
for _ in $(seq 100); do [ "$(sinfo -h -t idle -o %D 2>/dev/null)" = 2 ] && break; sleep 0.2; done
[ "$(sinfo -h -t idle -o %D)" = 2 ] || die "the cluster did not come up: see $D/slurmctld.log"
say "a cluster of two nodes: $(sinfo --version)"

# Copies: a build meanwhile must not change what is checked.
mkdir -p "$D/bin"
cp target/release/harness target/release/harness-torch "$D/bin/"
harness=$D/bin/harness
sweep() { "$harness" sweep "$D/check.toml" --name check --results "$D/$1" --plots "$D/$1-plots" "${@:2}"; }
say "the same sweep here"
sweep here >"$D/here.txt" 2>&1 || die "see $D/here.txt"

say "the sweep goes to the cluster"
began=$SECONDS
sweep there --workers 2 --slurm --cpus-per-task=1 | tee "$D/submitted.txt"
[ $((SECONDS - began)) -lt 60 ] || die "submitting took $((SECONDS - began)) s"
array=$(sed -n 's/.*workers are job \([0-9]*\);.*/\1/p' "$D/submitted.txt")
report=$(sed -n 's/.*job \([0-9]*\) makes the tables.*/\1/p' "$D/submitted.txt")
[ -n "$array" ] && [ -n "$report" ] || die "no job ids were printed"

finished() { find "$D/there/runs" -name summary.json 2>/dev/null | wc -l; }
state() { scontrol -o show job "$1" 2>/dev/null | sed -n 's/.*JobState=\([A-Z_]*\).*/\1/p' | sort -u | tr '\n' ' '; }
running() { pgrep -f "harness-torch run .*$D/there" | head -n 1; }
wait_for() { # WHAT SECONDS COMMAND…
    local what=$1 until=$((SECONDS + $2))
    shift 2
    until "$@"; do [ $SECONDS -lt $until ] || die "waited in vain for $what: $(squeue -h)"; sleep 0.5; done
}
at_least() { [ "$(finished)" -ge "$1" ]; }
is_running() { [ -n "$(running)" ]; }

wait_for "a run" 120 is_running
sleep 3
say "one run's process is killed with SIGKILL ($(finished) of 12 finished)"
kill -KILL "$(running)"
wait_for "the first finished runs" 300 at_least 2
say "a worker is requeued ($(finished) of 12 finished)"
scontrol requeue "${array}_1"
wait_for "further finished runs" 400 at_least 4
# The other one is pushed aside by a job that may do so.
say "a job of a higher partition pushes a worker aside ($(finished) of 12 finished)"
printf '#!/bin/bash\nsleep 5\n' | sbatch --parsable --partition=high --nodes=2 --exclusive --output=/dev/null >/dev/null
wait_for "the report's job" 900 sh -c '[ "$(scontrol -o show job "$1" | sed -n "s/.*JobState=\([A-Z]*\).*/\1/p")" = COMPLETED ]' - "$report"
say "workers ended ($(state "$array")), requeued $(scontrol -o show job "$array" | grep -o 'Restarts=[0-9]*' | sort | uniq -c | tr '\n' ' ')"

at_least 12 || die "$(finished) of 12 runs are finished"
restarts=$(scontrol -o show job "$array" | grep -o 'Restarts=[0-9]*' | cut -d= -f2 | paste -sd+ | bc)
[ "$restarts" -ge 2 ] || die "workers were requeued $restarts times: the check did not check"
compared=0
for file in "$D"/here/check/*.md "$D"/here/check/*.csv "$D"/here/check/*.tex; do
    # What rows cost in time is the one thing that depends on the machine.
    case $(basename "$file") in verdicts.*) continue ;; esac
    cmp "$file" "$D/there/check/$(basename "$file")" || die "$(basename "$file") differs"
    compared=$((compared + 1))
done
[ $compared -ge 3 ] || die "there are no tables to compare"
twice=$(for events in "$D"/there/runs/*/*/events.jsonl; do grep -o '"event":"step","epoch":[0-9]*,"step":[0-9]*' "$events" | sort | uniq -d; done | wc -l)
[ "$twice" = 0 ] || die "$twice steps stand twice in events.jsonl"
say "$compared tables are the same bytes; $restarts requeues; no step stands twice"
