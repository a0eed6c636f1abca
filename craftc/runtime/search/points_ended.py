"""Counts the points of a search that have ended, in the study that a run is writing. Imports nothing of Optuna."""

import sqlite3
from contextlib import closing
from pathlib import Path

_COUNT = """
SELECT COUNT(*) FROM trials JOIN trial_user_attributes USING (trial_id)
WHERE key = 'kind' AND value_json = '"search"' AND state IN ('COMPLETE', 'PRUNED', 'FAIL')
"""


def points_ended(database: Path) -> int:
    """Those that were proposed and have finished, were pruned or failed; 0 where there is no study that can be read."""
    if not database.is_file():
        return 0
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True, timeout=5)) as connection:
            return int(connection.execute(_COUNT).fetchone()[0])
    except sqlite3.Error:
        return 0
