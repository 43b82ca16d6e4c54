"""The seeded random projections of gradients, to the bit those of services/model/projection.ts."""

import hashlib
import math

import numpy as np


def random_words(seed, purpose, count):
    """`count` uint64: number i is splitmix64(i XOR s), s the first 8 bytes, little-endian, of SHA-256 of `seed:0:purpose`."""
    start = int.from_bytes(hashlib.sha256(f'{seed}:0:{purpose}'.encode()).digest()[:8], 'little')
    with np.errstate(over='ignore'):
        z = (np.arange(count, dtype=np.uint64) ^ np.uint64(start)) + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def signs(seed, purpose, rows, columns):
    """[rows, columns] float32: +1/sqrt(columns) where the highest bit of number row * columns + column is 0, else minus that."""
    negative = (random_words(seed, purpose, rows * columns) >> np.uint64(63)).astype(bool)
    scale = np.float32(1 / math.sqrt(columns))
    return np.where(negative, -scale, scale).reshape(rows, columns)


def projections(module, k_in, k_out, seed):
    """P_in [inSize, k_in] and P_out [outSize, k_out] of a module of model.json."""
    name = module['name']
    return (
        signs(seed, f'projection:in:{name}', module['inSize'], k_in),
        signs(seed, f'projection:out:{name}', module['outSize'], k_out),
    )
