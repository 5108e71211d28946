#!/usr/bin/env bash
# Sweeps of twelve small runs on a Slurm cluster of two nodes on this machine (loopback alone): a run and a worker killed, workers requeued,
# preempted, cancelled and at their time limit, a node that fails. Their tables must be the bytes of the same sweep carried out here.
# Needs root, and Debian's packages, which it installs; elsewhere it says so and skips. Takes some ten minutes, in which Slurm lets
# requeued jobs wait for most of the time.
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

state() { scontrol -o show job "$1" 2>/dev/null | sed -n 's/.*JobState=\([A-Z_]*\).*/\1/p' | sort -u | tr '\n' ' '; }
restarts() { scontrol -o show job "$1" | sed -n 's/.*Restarts=\([0-9]*\).*/\1/p' | awk '{ n += $1 } END { print n + 0 }'; }
finished() { find "$D/$1/runs" -name summary.json 2>/dev/null | wc -l; }
run_of() { pgrep -f "harness-torch run .*$D/$1/" | head -n 1; }
wait_for() { # WHAT SECONDS COMMAND…
    local what=$1 until=$((SECONDS + $2))
    shift 2
    until "$@"; do [ $SECONDS -lt $until ] || die "waited in vain for $what: $(squeue -h)"; sleep 0.5; done
}
at_least() { [ "$(finished "$1")" -ge "$2" ]; }
is_running() { [ -n "$(run_of "$1")" ]; }
is_at() { [[ $(state "$1") == *$2* ]]; }
has_restarted() { [ "$(restarts "$1")" -ge 1 ]; }
submit() { # RESULTS OPTIONS…: sets array and report
    sweep "$@" | tee "$D/submitted.txt"
    array=$(sed -n 's/.*workers are job \([0-9]*\);.*/\1/p' "$D/submitted.txt")
    report=$(sed -n 's/.*job \([0-9]*\) makes the tables.*/\1/p' "$D/submitted.txt")
    [ -n "$array" ] && [ -n "$report" ] || die "no job ids were printed"
}
same() { # RESULTS: every run is finished, each step stands once, the tables are those of the sweep here
    at_least "$1" 12 || die "$(finished "$1") of 12 runs are finished"
    local compared=0 twice
    for file in "$D"/here/check/*.md "$D"/here/check/*.csv "$D"/here/check/*.tex; do
        # What rows cost in time is the one thing that depends on the machine.
        case $(basename "$file") in verdicts.*) continue ;; esac
        cmp "$file" "$D/$1/check/$(basename "$file")" || die "$(basename "$file") differs"
        compared=$((compared + 1))
    done
    [ $compared -ge 3 ] || die "there are no tables to compare"
    twice=$(for events in "$D/$1"/runs/*/*/events.jsonl; do grep -o '"event":"step","epoch":[0-9]*,"step":[0-9]*' "$events" | sort | uniq -d; done | wc -l)
    [ "$twice" = 0 ] || die "$twice steps stand twice in events.jsonl"
    say "$compared tables are the same bytes, and no step stands twice"
}

say "the sweep goes to the cluster: three workers on two nodes"
began=$SECONDS
submit there --workers 3 --slurm --cpus-per-task=1
[ $((SECONDS - began)) -lt 60 ] || die "submitting took $((SECONDS - began)) s"
wait_for "a run" 120 is_running there
sleep 3
say "a run's process is killed with SIGKILL ($(finished there) of 12 finished)"
kill -KILL "$(run_of there)"
wait_for "finished runs" 300 at_least there 1
say "a worker is requeued ($(finished there) of 12 finished)"
scontrol requeue "${array}_1"
wait_for "further finished runs" 300 at_least there 2
say "a worker is killed with SIGKILL ($(finished there) of 12 finished)"
kill -KILL "$(pgrep -f "harness sweep .*$D/there .*--worker 2/3")"
wait_for "the third worker" 120 is_at "${array}_3" RUNNING
wait_for "further finished runs" 300 at_least there 4
node=$(scontrol -o show job "${array}_3" | sed -n 's/.* NodeList=\(n[12]\).*/\1/p')
say "its node fails: $node ($(finished there) of 12 finished)"
scontrol update NodeName="$node" State=DOWN Reason=check
sleep 3
# One that answers comes back by itself.
scontrol update NodeName="$node" State=RESUME 2>/dev/null || true
wait_for "a worker to come back" 400 is_running there
wait_for "further finished runs" 300 at_least there 5
say "a job of a higher partition pushes a worker aside ($(finished there) of 12 finished)"
printf '#!/bin/bash\nsleep 5\n' | sbatch --parsable --partition=high --nodes=2 --exclusive --output=/dev/null >/dev/null
wait_for "the report's job" 900 is_at "$report" COMPLETED
times=$(restarts "$array")
say "workers ended ($(state "$array")) after $times restarts"
[ "$times" -ge 3 ] || die "the check did not check"
same there

say "another one meets its time limit"
submit later --workers 1 --slurm --cpus-per-task=1 --time=2
wait_for "the notice before the limit" 200 has_restarted "$array"
is_at "$array" PENDING || die "the worker is $(state "$array"), and not back in the queue"
scancel "$array" "$report"
say "and is cancelled at work ($(finished later) of 12 finished)"
submit later --workers 2 --slurm --cpus-per-task=1
wait_for "a run" 120 is_running later
sleep 2
scancel "$array" "$report"
wait_for "an end" 60 is_at "$array" CANCELLED
sleep 3
[ "$(restarts "$array")" = 0 ] && ! is_at "$array" PENDING || die "a cancelled worker came back: $(state "$array")"
! is_running later || die "a cancelled worker goes on"
submit later --workers 2 --slurm --cpus-per-task=1
wait_for "the report's job" 600 is_at "$report" COMPLETED
same later
