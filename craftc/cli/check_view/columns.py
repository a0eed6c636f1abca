"""The columns of the tables that the trials of a plan are trained on, as their sources read them."""

import json

from craftc.compiler.data_files.column_roles import TableColumn, is_typed
from craftc.schemas.catalogue import is_own
from craftc.schemas.plan import Plan


def columns_of_tables(plan: Plan) -> list[tuple[str, tuple[TableColumn, ...]]]:
    """Each different source of a table whose columns have roles, in words, with its columns.

    The data was read before; what a file cannot show without it, as Parquet, is read again. Raises DataError.
    """
    from craftc.components.sources.load import load_samples
    from craftc.components.sources.table import Table

    of_data = [trial for trial in plan.trials if not trial.is_program]
    sources = {json.dumps(trial.config["data"]["source"], sort_keys=True): trial for trial in of_data}
    found = []
    for trial in sources.values():
        source = trial.config["data"]["source"]
        if is_own(source["kind"]) or not is_typed(source):
            continue
        loaded = load_samples(source)
        if isinstance(loaded, Table):
            found.append((f"columns of {source['kind']} {source.get('path', '')}", loaded.columns))
    return found
