# doctor: versions, machine, cache, self-test; a cache that cannot be written is a failure, said with a Diagnostic.
XDG_CACHE_HOME=$PWD/cache; export XDG_CACHE_HOME
run 0 doctor
for word in sluice onnx CLI11 processors memory cache self-test; do says out "^$word "; done
silent err
run 0 doctor --json
json 'd["healthy"] is True and d["processors"] >= d["processors_allowed"] >= 1 and d["threads"] >= 1 and d["memory_bytes"] > 0'
json 'all(isinstance(v, str) for v in d["libraries"].values())'
if [ -x "${sluice%/*}/sluice-worker" ]; then
    json 'd["runtime"]["loopback_seconds"] > 0 and d["runtime"]["mpi"].startswith("Open MPI") and d["runtime"]["onnxruntime"]'
    run 0 doctor
    says out '^loopback  *2 ranks, 1 MiB there and back in'
fi
SLUICE_WORKER=$PWD/nobody; export SLUICE_WORKER
run 1 doctor
says err "there is no program '.*nobody' (which SLUICE_WORKER names)"
printf '#!/bin/sh\necho "libgone.so: cannot open shared object file" >&2; exit 127\n' >broken; chmod +x broken
SLUICE_WORKER=$PWD/broken
run 1 doctor
says err 'note: libgone.so: cannot open'
says out '^onnxruntime  *FAILED'
unset SLUICE_WORKER
[ -z "$(ls cache/sluice)" ] || fail "doctor left something in the cache"
: >blocked
XDG_CACHE_HOME=$PWD/blocked
run 1 doctor
says err 'error: '
says out '^cache  *FAILED'
