"""The process that makes artefacts: reads a request from each line of standard input, and answers each in one line.

A request is JSON: the trial, and the artefacts that its plan makes of it. The answer names what could not be made.
"""

import json
import os
import sys
from pathlib import Path

from craftc.schemas.artefact import PlannedArtefact
from craftc.schemas.plan import Trial


def main() -> None:
    """Answer until standard input ends. What anything prints goes to standard error."""
    requests, answers = sys.stdin, os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    store_root, *import_folders = sys.argv[1:]
    for line in requests:
        answer = _answer(json.loads(line), Path(store_root), import_folders)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _answer(request: dict[str, object], store_root: Path, import_folders: list[str]) -> dict[str, object]:
    # Lazily: torch takes 2 s to import, and a run that trains nothing may ask for nothing.
    import torch

    from craftc.runtime.artefacts.make import make_artefacts
    from craftc.runtime.store.store import Store
    from craftc.runtime.worker.own_code import make_importable

    torch.set_num_threads(1)
    make_importable(import_folders)
    trial = Trial.model_validate_json(json.dumps(request["trial"]))
    planned = [
        PlannedArtefact.model_validate_json(json.dumps(each))
        for each in request["artefacts"]  # type: ignore[attr-defined]
    ]
    failed = [each._asdict() for each in make_artefacts(trial, planned, Store(store_root))]
    return {"trial": trial.id, "failed": failed}


if __name__ == "__main__":
    main()
