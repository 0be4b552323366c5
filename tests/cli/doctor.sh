# doctor: versions, machine, cache, self-test; a cache that cannot be written is a failure, said with a Diagnostic.
XDG_CACHE_HOME=$PWD/cache; export XDG_CACHE_HOME
run 0 doctor
for word in sluice onnx CLI11 processors memory cache self-test; do says out "^$word "; done
silent err
run 0 doctor --json
json 'd["healthy"] is True and d["processors"] >= d["processors_allowed"] >= 1 and d["threads"] >= 1 and d["memory_bytes"] > 0'
json 'all(isinstance(v, str) for v in d["libraries"].values())'
[ -z "$(ls cache/sluice)" ] || fail "doctor left something in the cache"
: >blocked
XDG_CACHE_HOME=$PWD/blocked
run 1 doctor
says err 'error: '
says out '^cache  *FAILED'
