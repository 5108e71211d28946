"""Writes tests/golden/map_*: one small score map in the forms that are read, and forms that are refused.

Run from the root of the checkout: python tests/oracle/numpy_maps.py (needs numpy, pillow)
"""
import numpy as np
from PIL import Image

y, x = np.mgrid[:3, :5]
source = (y - x / 4).astype("<f4")
source[1, 2] = np.nan
folder = "tests/golden/"
np.save(folder + "map_f4.npy", source)
with open(folder + "map_f8_v2.npy", "wb") as out:
    np.lib.format.write_array(out, source.astype("<f8"), version=(2, 0))
np.save(folder + "map_f4_batch.npy", source[None])
Image.fromarray(source).save(folder + "map_f4.tif")
# Whole numbers; refused: another order, three dimensions.
np.save(folder + "map_fortran.npy", np.asfortranarray(source))
np.save(folder + "map_i4.npy", np.zeros((3, 5), "<i4"))
np.save(folder + "map_3d.npy", np.zeros((2, 3, 5), "<f4"))
Image.fromarray(np.zeros((3, 5), np.uint8)).save(folder + "map_u8.tif")
