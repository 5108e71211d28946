"""Writes tests/golden/scipy_maps.json: scipy.ndimage's zoom (order 1) and gaussian_filter of one small float32 map.

zoom with grid_mode=False aligns the centres of the corner pixels, with grid_mode=True the outer edges.
Run from the root of the checkout: python tests/oracle/scipy_maps.py (needs numpy, scipy)
"""
import json

import numpy as np
from scipy import ndimage

rng = np.random.default_rng(21)
source = rng.normal(size=(7, 9)).astype(np.float32)
factor = (23 / 7, 31 / 9)
golden = {
    "map": source,
    "zoom_corners_23x31": ndimage.zoom(source.astype(np.float64), factor, order=1, mode="nearest"),
    "zoom_edges_23x31": ndimage.zoom(source.astype(np.float64), factor, order=1, mode="nearest", grid_mode=True),
}
for sigma in [0.6, 1.5, 4.0]:
    golden[f"gaussian_{sigma}"] = ndimage.gaussian_filter(source.astype(np.float64), sigma, mode="reflect", truncate=4.0)
with open("tests/golden/scipy_maps.json", "w") as out:
    json.dump({key: [round(float(v), 8) for v in value.ravel()] for key, value in golden.items()}, out)
    out.write("\n")
