"""What nights add to the database of a Prefect server: `python -m benchmarks.prefect_nights DATABASE`.

DATABASE is the server's SQLite file. Run it before and after a night: the difference is what the night added, indexes
included.
"""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

TABLES = ("flow_run", "flow_run_state", "task_run", "task_run_state", "log", "artifact", "events", "event_resources")


def main() -> None:
    path = Path(sys.argv[1])
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        [pages], [size], [free] = (
            database.execute(f"PRAGMA {what}").fetchone() for what in ("page_count", "page_size", "freelist_count")
        )
        for table in TABLES:
            [rows] = database.execute(f"SELECT COUNT(*) FROM {table}").fetchone()
            try:
                [held] = database.execute(
                    "SELECT SUM(pgsize) FROM dbstat WHERE name IN (SELECT name FROM sqlite_master WHERE tbl_name = ?)",
                    [table],
                ).fetchone()
            except sqlite3.OperationalError:
                held = None  # this SQLite was built without dbstat
            print(f"{table:<16} {rows:>8,} rows {'' if held is None else f'{held / 1e3:>10,.0f} KB'}")
        print(
            f"{'all':<16} {'':>13} {(pages - free) * size / 1e3:>10,.0f} KB in use, {pages * size / 1e3:,.0f} KB file"
        )


if __name__ == "__main__":
    main()
