"""Measures how tags may be stored: what each layout costs a scan, the disk, a filter and a change.

    python3 tests/bench/tag_layouts [--resources 1000000] [--sqlite-resources 200000]

Starts a private PostgreSQL (shared_buffers 512 MB, otherwise as it comes) in a temporary folder, and prints
one Markdown table for it and one for SQLite. Needs initdb, pg_ctl and psql, and nothing beside Python itself.
Every layout stores the same resources, in the same batches, under the indexes that `resource` has anyway.
"""

import argparse
import os
import signal
import sys
import tempfile

from postgres import layouts, measure_postgres, stage
from server import Postgres
from sqlite import measure_sqlite, sqlite_each, sqlite_instr, sqlite_row


def said(*words):
    print(*words, file=sys.stderr, flush=True)


def table(title, columns):
    print(f"\n| {title} | " + " | ".join(columns) + " |\n|" + " --- |" * (len(columns) + 1))
    names = dict.fromkeys(name for figures in columns.values() for name in figures)
    for name in names:
        cells = [figures.get(name) for figures in columns.values()]
        shown = ["" if cell is None else f"{cell:,.0f}" if cell >= 100 else f"{cell:.3g}" for cell in cells]
        print(f"| {name} | " + " | ".join(shown) + " |")
    sys.stdout.flush()


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--resources", type=int, default=1_000_000)
    arguments.add_argument("--sqlite-resources", type=int, default=200_000)
    given = arguments.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="tag-layouts.") as folder:
        server = Postgres(folder)
        try:
            said("making", given.resources, "resources")
            stage(server, given.resources)
            columns = {}
            for layout in layouts():
                said(layout.title, "at load", os.getloadavg()[0])
                columns[layout.title] = measure_postgres(server, layout, given.resources)
            table(f"PostgreSQL, {given.resources:,} resources", columns)
        finally:
            server.stop()
        said("SQLite")
        columns = measure_sqlite(f"{folder}/rows", given.sqlite_resources, True, {"(a) a row per tag": sqlite_row})
        columns |= measure_sqlite(f"{folder}/terms", given.sqlite_resources, False,
                                  {"(d) JSON terms, json_each": sqlite_each, "(d) JSON terms, instr": sqlite_instr})
        table(f"SQLite, {given.sqlite_resources:,} resources", columns)


if __name__ == "__main__":
    main()
