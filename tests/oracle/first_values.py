"""Prints the constants of torch/src/nn/first.rs: the first values of a parameter, from the definitions of ChaCha8 and blake3.

python tests/oracle/first_values.py (needs blake3)
"""
import math
import struct

from blake3 import blake3


def words(seed, domain):
    """ChaCha with 8 rounds, block by block, keyed by a place (src/seed.rs)."""
    numbers = struct.pack("<4Q", seed, 0, 0, len(domain))
    key = struct.unpack("<8I", blake3(numbers + domain.encode()).digest())
    block = 0
    while True:
        start = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574, *key, block & 0xFFFFFFFF, block >> 32, 0, 0]
        s = list(start)

        def quarter(a, b, c, d):
            for x, y, z, turn in [(a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)]:
                s[x] = (s[x] + s[y]) & 0xFFFFFFFF
                mixed = s[z] ^ s[x]
                s[z] = (mixed << turn | mixed >> 32 - turn) & 0xFFFFFFFF

        for _ in range(4):
            for i in range(4):
                quarter(i, i + 4, i + 8, i + 12)
            for i in range(4):
                quarter(i, (i + 1) % 4 + 4, (i + 2) % 4 + 8, (i + 3) % 4 + 12)
        yield from ((x + y) & 0xFFFFFFFF for x, y in zip(s, start))
        block += 1


def bits(values):
    return [struct.unpack("<I", struct.pack("<f", x))[0] for x in values]


def single(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def uniform(name, fan_in, count):
    stream, bound = words(0, f"init/{name}"), single(1 / single(math.sqrt(fan_in)))
    return bits(single(single((next(stream) >> 8) + 0.5) / 2**23 - 1) * bound for _ in range(count))


def normal(name, count):
    stream, values = words(0, f"init/{name}"), []
    draw = lambda: (((next(stream) | next(stream) << 32) >> 12) + 0.5) / 2**51 - 1
    while len(values) < count:
        u, v = draw(), draw()
        s = u * u + v * v
        if s < 1:
            values += [u * math.sqrt(-2 * math.log(s) / s), v * math.sqrt(-2 * math.log(s) / s)]
    return bits(values[:count])


for name, fan_in in [("score.weight", 32), ("ptfem.fuse.conv.weight", 128), ("tem.mlp.0.weight", 2)]:
    print(name, uniform(name, fan_in, 3))
print("normal", normal("golden", 5))
