# Help, version and manual page go to stdout alone; the binary links no heavy library.
for words in --help -h help "help plan" --version --man; do
    # shellcheck disable=SC2086
    run 0 $words
    silent err
    [ -s out ] || fail "$words prints nothing"
done
run 0 --help
for verb in inspect profile plan bound compare sweep verify simulate export run zoo demo doctor completions; do
    says out "^  $verb "
    "$sluice" $verb --help >verb 2>&1 || fail "$verb --help"
    grep -q "^usage: sluice $verb" verb || fail "$verb --help has no usage line"
done
# Verbs that do not exist yet are not promised.
for verb in train report; do lacks out "^  $verb "; done
run 0 --version; says out '^sluice [0-9]'
run 0 --man; says out '^\.TH SLUICE 1'

ldd "$sluice" >libraries
if grep -q -i -e torch -e onnxruntime -e libmpi -e spdlog libraries; then cat libraries; fail "sluice links a heavy library"; fi
