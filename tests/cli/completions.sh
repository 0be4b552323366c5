# Completions load in their shells (those that are here), and complete verbs, flags, choices and files.
for shell in bash zsh fish; do run 0 completions $shell; silent err; cp out $shell.txt; done
for shell in zsh fish; do
    if command -v $shell >/dev/null 2>&1; then $shell -n $shell.txt || fail "$shell does not parse its completions"; else echo "no $shell here: not loaded"; fi
done
: >some-file
# complete WORD...: what bash offers for the last word
complete() {
    bash -c '. ./bash.txt; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sluice; printf "%s\n" "${COMPREPLY[@]}"' bash "$@" >out
    call="completion of $*"
}
complete sluice pl; says out '^plan$'; lacks out '^zoo$'
complete sluice plan --st; says out '^--stages$'
complete sluice zoo --st; lacks out 'stages'
complete sluice plan zoo:x -p asi; says out '^asic-16$'
complete sluice plan some; says out '^some-file$'
complete sluice zoo make bert; says out '^bert-base$'
complete sluice completions z; says out '^zsh$'
