# docs/explanation/bounds.md works its bounds by hand: what it says is what is printed.
folder_of_docs=$(dirname -- "$script")/../../docs/explanation
cp "$folder_of_docs/example.json" "$folder_of_docs/experts.json" "$folder_of_docs/bounds.md" .

# proves GRAPH METHOD NAME: the bound of this method is the number that the graph's table, the first behind its file's name on the page, gives for
# NAME, to the digits it gives, and is certified.
proves() {
    run 0 bound "$1" -k 3 --method "$2" --json
    "$python" - "$1" "$3" <<'PY' || fail "$call: not what bounds.md says of $3"
import json, re, sys
bound = json.load(open("out"))["bound"]
page = open("bounds.md", encoding="utf-8").read().partition(sys.argv[1])[2]
said = re.search(r"^\| \[" + re.escape(sys.argv[2]) + r"\]\(#[^)]*\) \| ([0-9.]+) \|", page, re.M).group(1)
digits = len(said.partition(".")[2])
sys.exit(0 if bound["certified"] and f"{bound['value_ps'] / 1e6:.{digits}f}" == said else 1)
PY
    says bounds.md "method $2"
}
proves example.json combinatorial combinatorial
proves example.json waypoints waypoints
run 0 bound example.json -k 5 --method waypoints --json
json 'd["bound"]["value_ps"] == 8 * 10**6 and d["bound"]["certified"] and len(d["witness"]["nodes"]) == 1'
proves example.json cut 'anchored cut'
proves example.json counting counting
proves example.json chain 'chain of cuts'
proves example.json covering covering
proves example.json exact-dp 'exact search'

# the second graph, of the section on covering
proves experts.json combinatorial combinatorial
proves experts.json counting counting
proves experts.json chain 'chain of cuts'
proves experts.json covering covering

# what a solver claims for the integer programs; never certified
for method in mip superblocks; do
    run 0 bound example.json -k 3 --method $method --json
    json 'd["bound"]["kind"] == "solver-claimed" and not d["bound"]["certified"] and round(d["bound"]["value_ps"] / 1e6, 3) == 17'
    says bounds.md "method $method"
done

# the bottlenecks of the best splits
run 0 plan example.json -k 3 --json
json 'd["predicted"]["bottleneck_ps"] == 17 * 10**6'
run 0 plan experts.json -k 3 --json
json 'd["predicted"]["bottleneck_ps"] == 14 * 10**6'
