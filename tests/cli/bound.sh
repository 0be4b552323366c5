# bound: the certificate alone, that `verify` accepts with a plan for the same problem.
run 0 bound zoo:chain -p asic-16 -k 3
says out 'every partition into at most 3 stages'
says out 'certified'
says err '^next: sluice plan zoo:chain -p asic-16 -k 3'
run 0 bound zoo:chain -p asic-16 -k 3 -o c.json --json
cmp -s out c.json || fail "--json and -o differ"
json 'd["format"] == "sluice.certificate/1"'
json 'set(d["bound"]) == {"value_ps", "kind", "certified"} and d["bound"]["certified"] is True'
run 0 bound zoo:chain -p asic-16 -k 3 --quiet
silent err
