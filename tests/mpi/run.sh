#!/bin/sh
# usage: run.sh TRANSPORT_CHECK MODE [OPTION ...]: three ranks on this host; nothing said, nothing left behind.
set -u
shm=$(mktemp -d /dev/shm/sluice-test.XXXXXX) || exit 1
log=$(mktemp) || exit 1
trap 'rm -rf "$shm" "$log"' EXIT
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
# A folder of its own for the segments, so that jobs beside this one cannot disturb the count.
mpirun --mca btl self,sm --mca pml ob1 --mca btl_sm_backing_directory "$shm" --oversubscribe --bind-to none -n 3 "$@" >"$log" 2>&1
code=$?
left=$(ls "$shm")
fail() { echo "FAIL: $1"; cat "$log"; exit 1; }
[ -z "$left" ] || fail "shared-memory files are left: $left"
if [ "$2" = truncate ]; then
    [ "$code" -eq 1 ] || fail "exit $code, expected 1"
    grep -q 'as expected: rank 1: the receive of 10 B under tag 3 from rank 0 failed in MPI: MPI_ERR_TRUNCATE' "$log" || fail "no diagnostic"
    exit 0
fi
if [ "$2" = killed ]; then
    [ "$code" -eq 137 ] || fail "exit $code, expected 137"
    ! grep 'message .* arrived with' "$log" || fail "a message arrived in part"
    exit 0
fi
[ "$code" -eq 0 ] || fail "exit $code"
[ ! -s "$log" ] || fail "not silent"
