# A rank, mpirun, sluice itself killed at random moments, a rank stopped: a clear end, no wrong output, nothing left. The long version is
# `./dev bench kills`.
soak=$(dirname "$script")/../../bench/soak_kill.py
[ -x "$(dirname "$sluice")/sluice-worker" ] || { echo "SKIPPED: sluice was built without its worker"; exit 77; }
call="soak_kill.py"
"$python" "$soak" "$sluice" --kills 5 --inputs 3000 --seed $$ --victims rank,rank,mpirun,sluice,hang >out 2>err || fail "a killed run did not end as it should (seed $$)"
says out '^Faults: 0'
