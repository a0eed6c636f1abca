"""One worker of two, as Ray Train starts them: joins a group of gloo and runs its share of a job; prints the events.

The last trial may be pruned.
"""

import json
import os
import sys
from pathlib import Path

import torch.distributed as dist

from craftc.runtime.jobs.decide import Decide, Reporter
from craftc.runtime.jobs.job_source import Point
from craftc.runtime.store.store import Store
from craftc.runtime.worker.worker_share import run_worker_share
from craftc.schemas.plan import Trial
from craftc.training.parts.worker_group import WorkerGroup

rank, meeting_file, root, prunes_at = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
trials = [Trial.model_validate(each) for each in json.loads(sys.argv[5])]
os.environ["MASTER_ADDR"] = "127.0.0.1"
dist.init_process_group("gloo", init_method=f"file://{meeting_file}", rank=rank, world_size=2)
last = trials[-1].id
point = Point(study="base", number=0, trials=(last,), metric="valid/value", epochs=None, is_prunable=True)
reporter = Reporter(point, lambda point, step, value: step < prunes_at)
decide: Decide = lambda record: not prunes_at or record.trial != last or reporter.decide(record)  # noqa: E731
share = run_worker_share(
    trials, store=Store(Path(root)), device="cpu", cpus=1, workers=WorkerGroup(rank, 2), decide=decide
)
for event in share:
    print(event.model_dump_json(), flush=True)
dist.destroy_process_group()
