"""Writes tests/golden/resize_*.png: what PIL makes of one image by BILINEAR (antialiased) and NEAREST.

Run from the root of the checkout: python tests/oracle/pil_resize.py (needs numpy, pillow)
"""
import numpy as np
from PIL import Image

rng = np.random.default_rng(20)
height, width = 41, 37
y, x = np.mgrid[:height, :width]
smooth = 127 + 120 * np.stack([np.sin(x / 5), np.cos(y / 7), np.sin((x + y) / 9)], -1)
source = np.clip(smooth + rng.integers(-40, 41, (height, width, 3)), 0, 255).astype(np.uint8)
image = Image.fromarray(source)
image.save("tests/golden/resize_source.png")
for w, h in [(16, 16), (13, 29), (64, 64), (97, 41), (37, 1)]:
    image.resize((w, h), Image.BILINEAR).save(f"tests/golden/resize_bilinear_{w}x{h}.png")
    image.resize((w, h), Image.NEAREST).save(f"tests/golden/resize_nearest_{w}x{h}.png")
