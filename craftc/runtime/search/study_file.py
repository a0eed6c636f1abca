"""Finished points in; an Optuna study in an SQLite file that Optuna's own tools open, out. Imports nothing of Optuna.

Optuna takes half a second to import and a millisecond for each value of each epoch, for it asks the database after each
of them; here all rows are one transaction. The tables are those of one version of Optuna's schema, which has been the
same since Optuna 3.2. `is_known` says whether the installed Optuna, and a file that is there, have it.
"""

import importlib.metadata
import importlib.util
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from craftc.runtime.search.dimension import Dimension

LOCK_TIMEOUT_S = 60.0
SCHEMA = "v3.2.0.a"
MIGRATIONS = frozenset(
    f"{name}.py"
    for name in (
        "v0.9.0.a", "v1.2.0.a", "v1.3.0.a", "v2.4.0.a", "v2.6.0.a_", "v3.0.0.a", "v3.0.0.b", "v3.0.0.c", "v3.0.0.d",
        "v3.2.0.a_",
    )
)  # fmt: skip
"""The files from which Optuna tells its versions of the schema, up to ours."""
OPTUNAS_VERSION_TABLE = 12
METRIC_NAMES = "study:metric_names"


@dataclass(frozen=True)
class FinishedPoint:
    """What becomes a trial of Optuna. Without a `value` it has failed. `reported`: a value for each step."""

    value: float | None
    params: Mapping[str, Any]
    reported: Mapping[int, float]
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class PlanStudy:
    """The study that the points are of: its name, its metric, and every parameter's range."""

    name: str
    metric: str
    mode: str
    space: Mapping[str, Dimension]


def is_known(database: Path) -> bool:
    """Whether this module can write the file so that the installed Optuna opens it."""
    optuna = importlib.util.find_spec("optuna")  # finds it without importing it
    if optuna is None or not optuna.submodule_search_locations:
        return False
    versions = Path(optuna.submodule_search_locations[0], "storages", "_rdb", "alembic", "versions")
    found = {path.name for path in versions.glob("v*.py")}
    if not found or not found <= MIGRATIONS:
        return False
    with _opened(database) as connection:
        return not _has_tables(connection) or connection.execute("SELECT * FROM alembic_version").fetchall() == [
            (SCHEMA,)
        ]


def recorded(database: Path, name: str) -> set[tuple[str, ...]]:
    """For each of the study's points the trials that it was trained by; empty where there is no such study."""
    if not database.exists():
        return set()
    query = """
        SELECT attributes.value_json FROM trial_user_attributes AS attributes
        JOIN trials USING (trial_id) JOIN studies USING (study_id)
        WHERE attributes.key = 'trials' AND study_name = ?
    """
    with _opened(database) as connection:
        if not _has_tables(connection):
            return set()
        return {tuple(json.loads(text)) for (text,) in connection.execute(query, (name,))}


def add_points(database: Path, study: PlanStudy, points: Sequence[FinishedPoint]) -> None:
    """Write the study, if it is not there yet, and the points, all of them or none."""
    with _opened(database) as connection, _transaction(connection):
        if not _has_tables(connection):
            _make_tables(connection)
        study_id = _study_id(connection, study)
        first = connection.execute("SELECT COALESCE(MAX(trial_id), 0) + 1 FROM trials").fetchone()[0]
        number = connection.execute("SELECT COUNT(*) FROM trials WHERE study_id = ?", (study_id,)).fetchone()[0]
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        connection.executemany(
            "INSERT INTO trials VALUES (?, ?, ?, ?, ?, ?)",
            (
                (first + i, number + i, study_id, "FAIL" if point.value is None else "COMPLETE", now, now)
                for i, point in enumerate(points)
            ),
        )
        for table, columns, rows in _details(points, study.space):
            marks = ", ".join("?" * (1 + columns.count(",") + 1))
            statement = f"INSERT INTO {table} (trial_id, {columns}) VALUES ({marks})"
            connection.executemany(statement, ((first + i, *row) for i, row in rows))


Rows = Iterator[tuple[int, tuple[Any, ...]]]


def _details(points: Sequence[FinishedPoint], space: Mapping[str, Dimension]) -> Iterator[tuple[str, str, Rows]]:
    """Table, columns, and rows with the index of the point that each belongs to."""
    yield (
        "trial_values",
        "objective, value, value_type",
        ((i, (0, point.value, "FINITE")) for i, point in enumerate(points) if point.value is not None),
    )
    yield (
        "trial_params",
        "param_name, param_value, distribution_json",
        (
            (i, (path, space[path].stored(label), space[path].json))
            for i, point in enumerate(points)
            for path, label in point.params.items()
        ),
    )
    yield (
        "trial_user_attributes",
        "key, value_json",
        ((i, (key, json.dumps(value))) for i, point in enumerate(points) for key, value in point.attributes.items()),
    )
    yield (
        "trial_intermediate_values",
        "step, intermediate_value, intermediate_value_type",
        ((i, (step, value, "FINITE")) for i, point in enumerate(points) for step, value in point.reported.items()),
    )


def _study_id(connection: sqlite3.Connection, study: PlanStudy) -> int:
    """Of the study, made if it is new."""
    found = connection.execute("SELECT study_id FROM studies WHERE study_name = ?", (study.name,)).fetchone()
    if found is not None:
        return int(found[0])
    study_id = connection.execute("INSERT INTO studies (study_name) VALUES (?)", (study.name,)).lastrowid
    assert study_id is not None
    direction = "MINIMIZE" if study.mode == "min" else "MAXIMIZE"
    connection.execute(
        "INSERT INTO study_directions (direction, study_id, objective) VALUES (?, ?, 0)", (direction, study_id)
    )
    connection.execute(
        "INSERT INTO study_system_attributes (study_id, key, value_json) VALUES (?, ?, ?)",
        (study_id, METRIC_NAMES, json.dumps([study.metric])),
    )
    return study_id


def _make_tables(connection: sqlite3.Connection) -> None:
    tables = Path(__file__).with_name("study_tables.sql").read_text(encoding="utf-8")
    for statement in tables.split(";\n"):
        connection.execute(statement)
    optuna_version = importlib.metadata.version("optuna")
    connection.execute("INSERT INTO version_info VALUES (1, ?, ?)", (OPTUNAS_VERSION_TABLE, optuna_version))
    connection.execute("INSERT INTO alembic_version VALUES (?)", (SCHEMA,))


def _has_tables(connection: sqlite3.Connection) -> bool:
    """No file, or one that a kill left empty, has none."""
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
    return found is not None


@contextmanager
def _opened(database: Path) -> Iterator[sqlite3.Connection]:
    # Without Python's own transactions, which end before a table is made.
    with closing(sqlite3.connect(database, timeout=LOCK_TIMEOUT_S, isolation_level=None)) as connection:
        yield connection


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def study_name(experiment: str, variant: str) -> str:
    """Unique within a run, and told apart from other runs' where a dashboard shows several."""
    return f"{experiment}/{variant}"
