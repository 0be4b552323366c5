# A MODEL that is none, or that no plan can be made for: a Diagnostic, exit 1, nothing on stdout, by every verb that reads models.
cat >make.py <<'PY'
import json, onnx
from onnx import TensorProto, helper

def value(name, shape=(4, 4)): return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
def model(nodes, inputs, outputs, **more):
    graph = helper.make_graph(nodes, "g", inputs, outputs, **more)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
relu = lambda x, y, **more: helper.make_node("Relu", [x], [y], **more)

whole = model([relu("x", "a"), relu("a", "y")], [value("x")], [value("y")])
onnx.save(whole, "whole.onnx")
data = open("whole.onnx", "rb").read()
for part in (1, len(data) // 3, len(data) // 2, len(data) - 1): open(f"truncated-{part}.onnx", "wb").write(data[:part])
open("text.onnx", "w").write("this is a text file, not a model\n" * 40)
open("empty.onnx", "w").close()
open("gzip.onnx.gz", "wb").write(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03cut off")
onnx.save(model([relu("b", "a"), relu("a", "b"), relu("x", "y")], [value("x")], [value("y")]), "cycle.onnx")
onnx.save(model([], [value("x")], [value("x")]), "no-operators.onnx")
onnx.save(model([relu("x", "a"), relu("x", "a"), relu("a", "y")], [value("x")], [value("y")]), "two-producers.onnx")
onnx.save(model([relu("x", "a"), relu("a", "y")], [value("x", (-7, 4))], [value("y", (-7, 4))]), "negative.onnx")
huge = 2 ** 62
onnx.save(model([relu("x", "a"), relu("a", "y")], [value("x", (huge, 4))], [value("y", (huge, 4))]), "huge.onnx")
onnx.save(model([relu("x", "a"), relu("nowhere", "y")], [value("x")], [value("y")]), "dangling.onnx")
# names that are the same or empty are legal: operators are told apart by index and output
onnx.save(model([relu("x", "a", name="same"), relu("a", "b", name="same"), relu("b", "y", name="")], [value("x")], [value("y")]), "names.onnx")
onnx.save(model([relu("x", "a", name="evil\x1b[31m\n"), relu("a", "y", name="\u202eevil")], [value("x")], [value("y")]), "control.onnx")
weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4, 4], data_location=TensorProto.EXTERNAL)
for path in ("../outside.bin", "/etc/passwd"):
    del weight.external_data[:]
    weight.external_data.add(key="location", value=path)
    onnx.save(model([helper.make_node("MatMul", ["x", "w"], ["y"])], [value("x")], [value("y")], initializer=[weight]), f"outside{len(path)}.onnx")
PY
"$python" make.py
mkdir folder.onnx

for verb in inspect plan bound; do
    for file in truncated-*.onnx text.onnx empty.onnx gzip.onnx.gz cycle.onnx no-operators.onnx two-producers.onnx huge.onnx outside*.onnx; do
        rejects 1 "$file" $verb "$file"
    done
    rejects 1 'no-such.onnx' $verb no-such.onnx
    rejects 1 'directory' $verb folder.onnx
done
rejects 1 'cycle' plan cycle.onnx
says err "'a'\|'b'"          # the tensors on it are named
rejects 1 'operator' plan no-operators.onnx

# negative sizes and dangling tensors: refused, or taken as unknown and said so; never a crash
for file in negative.onnx dangling.onnx; do
    got=0; "$sluice" plan $file -p cpu -k 2 --evals 2 >out 2>err || got=$?
    call="sluice plan $file"
    case $got in
        0) says err 'warning\|note' ;;
        1) silent out; says err 'error: ' ;;
        *) fail "exit code $got" ;;
    esac
done

# nothing is written either
rejects 1 'cycle' plan cycle.onnx -o plan.json
rejects 1 'text.onnx' inspect text.onnx -o graph.json
[ ! -e plan.json ] && [ ! -e plan.certificate.json ] && [ ! -e graph.json ] || fail "output of a failed verb"

# legal, if odd
run 0 plan names.onnx -p cpu -k 3 --evals 2 -o names.json
run 0 verify names.onnx names.json names.certificate.json
run 0 plan control.onnx -p cpu -k 2 --evals 2
lacks out "$(printf '\033')"
run 0 inspect control.onnx
lacks out "$(printf '\033')"
run 0 inspect whole.onnx
