"""Draws random numbers that are hashes of a key and of their place, so that nothing else decides them.

n: numbers that are drawn. K: trials that draw at once.
"""

import math
from functools import lru_cache
from hashlib import blake2b

import torch
from torch import Tensor

Key = tuple[int, int] | tuple[Tensor, Tensor]
"""Two whole numbers of 32 bits with a sign; of K trials, two int32 tensors (K, 1)."""

GOLDEN = -1640531527
"""2**32 over the golden ratio, as 32 bits with a sign: neighbouring counters get far apart."""
_NO_KEY = (0x243F6A88, -2052912941)
"""Digits of pi; any numbers would do."""
_FIRST, _SECOND = 0x7FEB352D, -2073319029


def walk(first: int, num: int, device: torch.device) -> Tensor:
    """What is hashed for the counters from `first` on, (n,) int32: no two are alike."""
    return torch.arange(first, first + num, dtype=torch.int32, device=device).mul_(GOLDEN)


def hashed(counters: Tensor, key: Key) -> Tensor:
    """32 random bits for each of the counters, as int32 in the shape to which counters and key broadcast.

    Two rounds of xor-shift and multiplication (Wellons' lowbias32), the key added before each; for one key no two
    counters give the same. Tensor operations alone, so it runs on every device and under vmap.
    """
    bits = counters + key[0]
    # The masks in place: on a CPU, into a new tensor they take three times as long.
    bits ^= (bits >> 16).bitwise_and_(0xFFFF)
    bits *= _FIRST
    bits ^= (bits >> 15).bitwise_and_(0x1FFFF)
    bits += key[1]
    bits *= _SECOND
    bits ^= (bits >> 16).bitwise_and_(0xFFFF)
    return bits


class Numbers:
    """The random numbers of one trial for one step, drawn one after another; or, alike, of K trials under vmap."""

    def __init__(self, key: Key, device: torch.device) -> None:
        self._key, self._device, self._num_drawn = key, device, 0

    def uniform(self, *shape: int) -> Tensor:
        """float32 of that shape, from 0 to below 1, in steps of 2**-24."""
        bits = self._bits(math.prod(shape))
        return ((bits >> 8) & 0xFFFFFF).float().mul_(2.0**-24).reshape(shape)

    def normal(self, *shape: int) -> Tensor:
        """float32 of that shape, of mean 0 and deviation 1 (Box and Muller 1958); none is beyond 5.8."""
        num_pairs = (math.prod(shape) + 1) // 2
        radius = (1 - self.uniform(num_pairs)).log_().mul_(-2).sqrt_()
        angle = self.uniform(num_pairs).mul_(2 * math.pi)
        both = torch.cat([angle.cos().mul_(radius), angle.sin().mul_(radius)])
        return both[: math.prod(shape)].reshape(shape)

    def of(self, name: str) -> "Numbers":
        """Others, by that name and the same key alone: however many are drawn here, or by other names."""
        places = walk(0, 2, self._device) ^ _named(name)
        words = hashed(hashed(places, _NO_KEY), self._key)
        return Numbers((words[:1], words[1:]), self._device)

    def _bits(self, num: int) -> Tensor:
        # Hashed without the key first: the counters of one key would else be those of another, moved along.
        counters = hashed(walk(self._num_drawn, num, self._device), _NO_KEY)
        self._num_drawn += num
        return hashed(counters, self._key)


@lru_cache(maxsize=256)
def _named(name: str) -> int:
    """32 bits of a hash, with a sign."""
    return int.from_bytes(blake2b(name.encode(), digest_size=4).digest(), "big", signed=True)
