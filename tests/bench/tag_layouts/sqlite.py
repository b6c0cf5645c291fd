"""The layouts on SQLite."""

import json
import os
import sqlite3
import statistics
import time

from resources import BATCH, PAGE, RUNS, filters, resources, term, terms


def sqlite_row(organization, name, value=None):
    # SQLite does not turn `exists` round, so with that it would never begin at the index.
    also = "" if value is None else f" and value = '{value}'"
    return f"r.id in (select resource_id from resource_tag where organization_id = '{organization}' " \
           f"and name_folded = '{name}'{also})"


def sqlite_each(_, name, value=None):
    return f"exists (select 1 from json_each(r.tag_terms) where value = '{term(name, value)}')"


def sqlite_instr(_, name, value=None):
    # A term with its quotes is found only as a whole: within another term a quote has a backslash.
    return f"instr(r.tag_terms, '{json.dumps(term(name, value))}') > 0"


def measure_sqlite(path, count, rows, kinds):
    database = sqlite3.connect(path, isolation_level=None)
    database.executescript("""pragma journal_mode = wal; pragma synchronous = normal; pragma cache_size = -65536;
        create table resource (id blob primary key, organization_id text, subscription_id text, arm_id text,
            name text, tags text, tag_terms text, deleted_at text);
        create table resource_tag (resource_id blob, organization_id text, name_folded text, name text, value text,
            primary key (resource_id, name_folded)) without rowid;
        create index by_subscription on resource (organization_id, subscription_id, id);
        create index by_name on resource (organization_id, lower(name), id) where deleted_at is null;
        create index by_tag on resource_tag (organization_id, name_folded, value);""")
    stored = {"stored, rows/s": count / store_sqlite(database, count, rows), "disk, MB": os.path.getsize(path) / 1e6}
    columns = {}
    for title, has in kinds.items():
        columns[title] = figures = dict(stored)
        for asked, (organization, where) in filters(has).items():
            tags = "(select json_group_object(t.name, t.value) from resource_tag t where t.resource_id = r.id)" \
                if rows else "r.tags"
            scope = f"from resource r where r.organization_id = '{organization}' and r.deleted_at is null and {where}"
            count_all = f"select count(*) {scope}"
            page = f"select r.id, r.name, {tags} {scope} order by lower(r.name), r.id limit {PAGE}"
            figures[f"{asked}: rows"] = database.execute(count_all).fetchone()[0]
            figures[f"{asked}: count, ms"] = sqlite_time(database, count_all)
            figures[f"{asked}: page, ms"] = sqlite_time(database, page)
    database.close()
    return columns


def sqlite_time(database, statement):
    times = []
    for _ in range(RUNS):
        begun = time.monotonic()
        database.execute(statement).fetchall()
        times.append(1_000 * (time.monotonic() - begun))
    return statistics.median(times)


def store_sqlite(database, count, rows):
    """Stores all resources; answers the seconds that took."""
    spent, batch, tags_of_batch = 0.0, [], []
    for number, resource in enumerate(resources(count), 1):
        tags = None if rows else json.dumps(resource["tags"])
        found = None if rows else json.dumps(terms(resource["tags"]))
        organization, id = str(resource["organization"]), resource["id"].bytes
        batch.append((id, organization, str(resource["subscription"]), resource["arm_id"], resource["name"], tags,
                      found))
        if rows:
            tags_of_batch += ((id, organization, name.lower(), name, value)
                              for name, value in resource["tags"].items())
        if number % BATCH == 0 or number == count:
            begun = time.monotonic()
            database.execute("begin immediate")
            database.executemany("insert into resource values (?, ?, ?, ?, ?, ?, ?, null)", batch)
            database.executemany("insert into resource_tag values (?, ?, ?, ?, ?)", tags_of_batch)
            database.execute("commit")
            spent += time.monotonic() - begun
            batch.clear()
            tags_of_batch.clear()
    database.executescript("pragma wal_checkpoint(truncate); analyze;")
    return spent
