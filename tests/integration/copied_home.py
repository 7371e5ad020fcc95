"""A home that was made once, copied for each test: to make it anew takes most of the time of such tests."""

import shutil
import sqlite3
from pathlib import Path

WHERE = {
    "experiments": ("artifact_location",),
    "runs": ("artifact_uri",),
    "model_versions": ("source", "storage_location"),
    "logged_models": ("artifact_location",),
}
"""Columns of MLflow's database that hold absolute paths."""


def copied(home: Path, to: Path) -> Path:
    """Copy a home with its MLflow database (SQLite), in which the paths then are the new ones.

    Args:
        home: nothing writes to it any more.
        to: a folder that is not there yet.
    """
    shutil.copytree(home, to, symlinks=True)
    with sqlite3.connect(to / "mlflow.db") as database:
        for table, columns in WHERE.items():
            for column in columns:
                database.execute(f"UPDATE {table} SET {column} = REPLACE({column}, ?, ?)", (f"{home}/", f"{to}/"))
    database.close()
    return to
