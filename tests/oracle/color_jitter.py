"""Writes tests/golden/color_*.png: PIL's ImageEnhance and colorsys on tests/golden/resize_source.png.

Run from the root of the checkout, after pil_resize.py: python tests/oracle/color_jitter.py (needs numpy, pillow)
"""
import colorsys

import numpy as np
from PIL import Image, ImageEnhance

source = Image.open("tests/golden/resize_source.png")
for name, enhance, factors in [
    ("brightness", ImageEnhance.Brightness, [1.3, 0.6]),
    ("contrast", ImageEnhance.Contrast, [1.4, 0.5]),
    ("saturation", ImageEnhance.Color, [1.4, 0.5]),
]:
    for factor in factors:
        enhance(source).enhance(factor).save(f"tests/golden/color_{name}_{factor}.png")
for turn in [0.1, -0.3]:
    pixels = np.asarray(source).reshape(-1, 3) / 255
    hsv = [colorsys.rgb_to_hsv(*p) for p in pixels]
    rgb = [colorsys.hsv_to_rgb((h + turn) % 1, s, v) for h, s, v in hsv]
    out = np.rint(255 * np.array(rgb)).astype(np.uint8).reshape(np.asarray(source).shape)
    Image.fromarray(out).save(f"tests/golden/color_hue_{turn}.png")
