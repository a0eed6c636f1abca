"""Waits until a cluster has so many nodes: `python -m craftc.runtime.on_ray.wait_for_nodes ADDRESS NODES`."""

import logging
import sys
import time

from craftc.runtime.on_ray.auth_token import use_auth_token

JOIN_TIMEOUT_S = 300.0


def main(address: str, num_nodes: int, timeout_s: float = JOIN_TIMEOUT_S) -> int:
    """0 once all have joined; 1 with a sentence on standard error when some have not in time."""
    use_auth_token(address)
    import ray

    ray.init(address=address, logging_level=logging.ERROR)
    try:
        deadline = time.monotonic() + timeout_s
        while (num_alive := _count_alive()) < num_nodes:
            if time.monotonic() > deadline:
                print(f"only {num_alive} of {num_nodes} machines have joined in {timeout_s:g} s", file=sys.stderr)
                return 1
            time.sleep(1)
        print(f"{num_alive} of {num_nodes} machines have joined", file=sys.stderr)
        return 0
    finally:
        ray.shutdown()


def _count_alive() -> int:
    import ray

    return sum(bool(node["Alive"]) for node in ray.nodes())  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
