#!/usr/bin/env python3
"""Small .pth files as torch.save writes them, with Python's standard library only.

    resnet_pth.py     writes resnet_tiny.pth (zip form), resnet_tiny_old.pth (the form before PyTorch 1.6),
                      resnet_tiny_wrapped.pth (a training checkpoint, its state dict under "model"), resnet_tiny_several.pth
                      (under "model" and "average") and resnet_evil.pth (a pickle that would call os.system) into tests/golden/

All but the last hold the same state dict, a network in name only:

    conv1.weight              f32 [2, 3, 1, 2], values 0, 0.5, 1, ...
    bn1.running_mean          f16 [4], values 1, -2, 0.25, 65504
    bn1.running_var           bf16 [3], values 1, -2, 0.5
    bn1.num_batches_tracked   i64 scalar 7
    transposed                f64 [2, 3], the transpose of [[0, 1], [2, 3], [4, 5]]: a view with strides (1, 2)
    tail                      f64 [2], the last two of the same storage: a view with an offset
    scalar                    f32 [], 42
"""

import collections
import io
import os
import pickle
import struct
import sys
import types
import zipfile

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../golden")


class StorageType:
    """A global `torch.<name>`."""

    def __init__(self, name, code):
        self.__name__ = self.__qualname__ = name
        self.__module__ = "torch"
        self.code = code

    def __reduce__(self):
        return self.__name__  # pickled as a global of __module__


def bf16(value):
    return struct.unpack("<H", struct.pack("<f", value)[2:])[0]


class Storage:
    def __init__(self, key, kind, values):
        self.key, self.kind, self.values = key, kind, values

    def bytes(self):
        return struct.pack(f"<{len(self.values)}{self.kind.code}", *self.values)


class Tensor:
    def __init__(self, storage, offset, shape, strides):
        self.arguments = (storage, offset, shape, strides, False, collections.OrderedDict())

    def __reduce__(self):
        return (sys.modules["torch._utils"]._rebuild_tensor_v2, self.arguments)


def _rebuild_tensor_v2(*_):
    raise AssertionError("only its name is pickled")


torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
_rebuild_tensor_v2.__module__ = "torch._utils"
utils._rebuild_tensor_v2 = _rebuild_tensor_v2
KINDS = {"FloatStorage": "f", "HalfStorage": "e", "BFloat16Storage": "H", "LongStorage": "q", "DoubleStorage": "d"}
for kind, code in KINDS.items():
    setattr(torch, kind, StorageType(kind, code))
sys.modules["torch"], sys.modules["torch._utils"] = torch, utils


class Pickler(pickle.Pickler):
    def __init__(self, file, old):
        super().__init__(file, protocol=2)
        self.old = old

    def persistent_id(self, thing):
        if isinstance(thing, Storage):
            parts = ("storage", thing.kind, thing.key, "cpu", len(thing.values))
            return parts + (None,) if self.old else parts
        return None


def state_dict():
    s = [
        Storage("0", torch.FloatStorage, [i / 2 for i in range(12)]),
        Storage("1", torch.HalfStorage, [1, -2, 0.25, 65504]),
        Storage("2", torch.BFloat16Storage, [bf16(v) for v in (1, -2, 0.5)]),
        Storage("3", torch.LongStorage, [7]),
        Storage("4", torch.DoubleStorage, [0, 1, 2, 3, 4, 5]),
        Storage("5", torch.FloatStorage, [42]),
    ]
    d = collections.OrderedDict()
    d["conv1.weight"] = Tensor(s[0], 0, (2, 3, 1, 2), (6, 2, 2, 1))
    d["bn1.running_mean"] = Tensor(s[1], 0, (4,), (1,))
    d["bn1.running_var"] = Tensor(s[2], 0, (3,), (1,))
    d["bn1.num_batches_tracked"] = Tensor(s[3], 0, (), ())
    d["transposed"] = Tensor(s[4], 0, (2, 3), (1, 2))
    d["tail"] = Tensor(s[4], 4, (2,), (1,))
    d["scalar"] = Tensor(s[5], 0, (), ())
    d._metadata = collections.OrderedDict([("", {"version": 1}), ("bn1", {"version": 2})])
    return d, s


def dump(thing, old=False):
    out = io.BytesIO()
    Pickler(out, old).dump(thing)
    return out.getvalue()


def archive(name, program, storages):
    with zipfile.ZipFile(os.path.join(GOLDEN, name), "w", zipfile.ZIP_STORED) as z:

        def add(entry, data):
            z.writestr(zipfile.ZipInfo("archive/" + entry), data)

        add("data.pkl", program)
        add("byteorder", b"little")
        for s in storages:
            add("data/" + s.key, s.bytes())
        add("version", b"3\n")


class Evil:
    def __reduce__(self):
        return (os.system, ("echo this must never run",))


def main():
    d, storages = state_dict()
    archive("resnet_tiny.pth", dump(d), storages)
    archive("resnet_tiny_wrapped.pth", dump({"epoch": 3, "model": d, "optimizer": {"lr": 0.1}}), storages)
    archive("resnet_tiny_several.pth", dump({"model": d, "average": d}), storages)
    archive("resnet_evil.pth", dump({"conv1.weight": Evil()}), [])
    with open(os.path.join(GOLDEN, "resnet_tiny_old.pth"), "wb") as f:
        f.write(dump(0x1950A86A20F9469CFC6C) + dump(1001))
        f.write(dump({"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}))
        f.write(dump(d, old=True) + dump([s.key for s in storages]))
        for s in storages:
            f.write(struct.pack("<q", len(s.values)) + s.bytes())


if __name__ == "__main__":
    main()
