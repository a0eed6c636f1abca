"""Keys every random number of a trial by (trial seed, use, counter), and by nothing that happened before."""

import hashlib
import random
from typing import Any, Literal

import numpy as np
import torch

RandomState = dict[str, Any]
"""The state of all global generators, as plain values and tensors."""

Use = Literal["init", "backbone", "order", "augmentation", "forward", "dropout", "epoch", "evaluation"]


def key(seed: int, use: Use, counter: int = 0, *, rank: int = 0) -> int:
    """A seed in [0, 2**63) for one use of random numbers; `counter` is an epoch or a step, `rank` a worker's.

    A hash, so that neighbouring seeds, uses and counters share nothing, and the same in every process.
    """
    return named_key(seed, use, counter, str(rank) if rank else "")


def named_key(seed: int, use: Use, counter: int, name: str) -> int:
    """The same for one of several that draw alike, by its name."""
    name = f"craftc/{seed}/{use}/{counter}" + (f"/{name}" if name else "")
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def step_key(seed: int, use: Use, step: int) -> tuple[int, int]:
    """A key of counted random numbers, two whole numbers of 32 bits with a sign, from the 63 bits of `key`."""
    number = key(seed, use, step)
    low, high = number & 0xFFFFFFFF, number >> 32
    return low - ((low & 0x80000000) << 1), high


def seed_torch(value: int, device: torch.device) -> None:
    """Seed the global generators that layers such as dropout draw from: the CPU's and the device's own."""
    # torch.manual_seed would format a stack trace at every call while CUDA is not initialised: 55 us a step against 1.
    torch.default_generator.manual_seed(value)
    if device.type == "cuda":
        index = torch.cuda.current_device() if device.index is None else device.index
        torch.cuda.default_generators[index].manual_seed(value)
    elif device.type == "mps":
        torch.mps.manual_seed(value)


def seed_everything(value: int, device: torch.device) -> None:
    """Seed torch, and also `random` and numpy, which a user's own component may draw from."""
    seed_torch(value, device)
    random.seed(value)
    np.random.seed(value % 2**32)


def epoch_order(seed: int, epoch: int, num_samples: int) -> torch.Tensor:
    """A permutation of `num_samples` (int64, CPU): the order of the train split in that epoch, on any device."""
    generator = torch.Generator().manual_seed(key(seed, "order", epoch))
    return torch.randperm(num_samples, generator=generator)


def random_state(device: torch.device) -> RandomState:
    """Of torch, of its device, of `random` and of numpy, which a user's own component may draw from."""
    version, words, gauss = random.getstate()
    name, keys, position, has_gauss, cached = np.random.get_state()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
        "random": [version, list(words), gauss],
        "numpy": [str(name), torch.from_numpy(np.asarray(keys).astype(np.int64)), position, has_gauss, cached],
    }


def set_random_state(state: RandomState, device: torch.device) -> None:
    """Have the global generators go on from there."""
    torch.set_rng_state(state["torch"].cpu())
    if device.type == "cuda" and state["cuda"] is not None:
        torch.cuda.set_rng_state(state["cuda"].cpu(), device)
    version, words, gauss = state["random"]
    random.setstate((version, tuple(words), gauss))
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, keys.cpu().numpy().astype(np.uint32), *rest))
