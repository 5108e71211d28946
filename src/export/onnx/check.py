"""Compares the model beside this folder with what its run stored of a few test images: python check.py [MODEL.onnx]"""
import json, pathlib, sys
import numpy as np, onnxruntime

here = pathlib.Path(__file__).resolve().parent
expected = json.loads((here / "expected.json").read_text())
model = sys.argv[1] if len(sys.argv) > 1 else str(here.parent / expected["model"])
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
names = [output.name for output in session.get_outputs()]
greatest, loose, wrong = 0.0, 0, 0
for number, image in enumerate(expected["images"]):
    got = dict(zip(names, session.run(None, {"image": np.load(here / f"{number}.image.npy")})))
    off = {name: np.abs(got[name] - np.load(here / f"{number}.{name}.npy")) / expected["map_range"] for name in names if name != "score"}
    off["score"] = np.abs(got["score"] - image["score"]) / expected["score_range"]
    # Around a pixel whose quantization level rounding decided otherwise the map differs, and what is made of the map there.
    cells = int((off.get("map_network", np.zeros(1)) > expected["bound"]).sum())
    if 0 < cells <= expected["loose_cells"]:
        loose += cells
        continue
    worst = max(float(np.nan_to_num(o, nan=np.inf).max()) for o in off.values())
    greatest, wrong = max(greatest, worst), wrong + (worst > expected["bound"])
print(f"{len(expected['images'])} images: greatest difference {greatest:.1e} of the range (bound {expected['bound']:.0e}), "
      f"{loose} cells with another quantization level, {wrong} images wrong")
sys.exit(wrong > 0)
