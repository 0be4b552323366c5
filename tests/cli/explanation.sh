# docs/explanation/bounds.md works its bounds by hand: what it says is what is printed.
folder_of_docs=$(dirname -- "$script")/../../docs/explanation
cp "$folder_of_docs/example.json" "$folder_of_docs/bounds.md" .

# proves METHOD NAME: the bound of this method is the number that the page's table gives for NAME, to the digits it gives, and is certified.
proves() {
    run 0 bound example.json -k 3 --method "$1" --json
    "$python" - "$2" <<'PY' || fail "$call: not what bounds.md says of $2"
import json, re, sys
bound = json.load(open("out"))["bound"]
said = re.search(r"^\| \[" + re.escape(sys.argv[1]) + r"\]\(#[^)]*\) \| ([0-9.]+) \|", open("bounds.md", encoding="utf-8").read(), re.M).group(1)
digits = len(said.partition(".")[2])
sys.exit(0 if bound["certified"] and f"{bound['value_ps'] / 1e6:.{digits}f}" == said else 1)
PY
    says bounds.md "method $1"
}
proves combinatorial combinatorial
proves cut 'anchored cut'
proves counting counting
proves chain 'chain of cuts'
proves exact-dp 'exact search'

# what a solver claims for the integer programs; never certified
for method in mip superblocks; do
    run 0 bound example.json -k 3 --method $method --json
    json 'd["bound"]["kind"] == "solver-claimed" and not d["bound"]["certified"] and round(d["bound"]["value_ps"] / 1e6, 3) == 17'
    says bounds.md "method $method"
done

# the bottleneck of the picture's split
run 0 plan example.json -k 3 --json
json 'd["predicted"]["bottleneck_ps"] == 17 * 10**6'
