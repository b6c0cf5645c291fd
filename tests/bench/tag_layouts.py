#!/usr/bin/env python3
"""Measures how tags may be stored: what each layout costs a scan, the disk, a filter and a change.

    tests/bench/tag_layouts.py [--resources 1000000] [--sqlite-resources 200000]

Starts a private PostgreSQL (shared_buffers 512 MB, otherwise as it comes) in a temporary folder, and prints
one Markdown table for it and one for SQLite. Needs initdb, pg_ctl and psql, and nothing beside Python itself.
Every layout stores the same resources, in the same batches, under the indexes that `resource` has anyway.
"""

import argparse
import glob
import hashlib
import json
import os
import random
import re
import shutil
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

BATCH = 1_000
PAGE = 50
CHANGED = 1_000
RUNS = 5
BIG = uuid.UUID(int=1)
SMALL = uuid.UUID(int=2)
SMALL_SHARE = 10  # One resource in ten belongs to a small organization, of 1,000 resources each.

# Of a tag that most resources have, one of twelve values; of one that half have, one of five thousand.
NAMES = ["Environment", "CostCenter", "Owner", "Project"] + [f"Tag{number:02}" for number in range(36)]
WEIGHTS = [9.0, 8.0, 4.0, 2.0] + [10 / (rank + 4) for rank in range(36)]
VALUES = [12, 5_000, 800, 200] + [10 * (rank + 1) for rank in range(36)]
COUNTS = [0, 1, 2, 3, 4, 5, 6, 7, 8]
COUNT_WEIGHTS = [12, 14, 17, 18, 14, 10, 7, 5, 3]

COMMON, RARE = ("environment", "v3"), ("costcenter", "v77")
PRESENT, ABSENT = "project", "owner"


def said(*words):
    print(*words, file=sys.stderr, flush=True)


def resources(count):
    """Resources in the order of a scan: one subscription after the other."""
    chance = random.Random(7)
    in_small = count // SMALL_SHARE
    for number in range(count):
        if number < count - in_small:
            organization, subscription = BIG, uuid.UUID(int=(1 << 64) + number // 2_000)
        else:
            small = (number - (count - in_small)) // 1_000
            organization, subscription = uuid.UUID(int=2 + small), uuid.UUID(int=(2 << 64) + small)
        wanted = chance.choices(COUNTS, COUNT_WEIGHTS)[0]
        tags = {}
        while len(tags) < wanted:
            place = chance.choices(range(len(NAMES)), WEIGHTS)[0]
            tags.setdefault(place, f"v{chance.randrange(VALUES[place])}")
        fold = chance.choice([str, str, str.lower, str.upper])
        name = f"res-{chance.randrange(16**6):06x}-{number}"
        yield {
            "id": uuid.UUID(int=chance.getrandbits(128)),
            "organization": organization,
            "subscription": subscription,
            "name": name,
            "arm_id": f"/subscriptions/{subscription}/resourceGroups/rg-{number // 40}/providers/"
            f"Microsoft.Compute/virtualMachines/{name}",
            "tags": {fold(NAMES[place]): value for place, value in tags.items()},
        }


def terms(tags):
    folded = [(name.lower(), value) for name, value in tags.items()]
    return [name for name, _ in folded] + [f"{name}\n{value}" for name, value in folded]


def own_term(organization, text):
    """A term that no other organization has, as a number."""
    return int.from_bytes(hashlib.blake2b(text.encode(), key=organization.bytes, digest_size=6).digest())


class Postgres:
    """A private PostgreSQL."""

    def __init__(self, folder):
        self.folder, self.port = Path(folder), free_port()
        homes = [os.path.dirname(shutil.which("pg_ctl") or "")] + sorted(glob.glob("/usr/lib/postgresql/*/bin"))
        self.programs = next(home for home in reversed(homes) if os.path.exists(f"{home}/initdb"))
        os.chmod(self.folder, 0o711)
        (self.folder / "postgres").mkdir()
        if os.geteuid() == 0:
            shutil.chown(self.folder / "postgres", "postgres", "postgres")
        data = f"{self.folder}/postgres/data"
        self.data = data
        self.run("initdb", "--pgdata", data, "--username", "tenantry", "--auth", "trust", "--no-locale",
                 "--encoding", "UTF8")
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' " \
                  "-c shared_buffers=512MB"
        self.run("pg_ctl", "start", "--wait", "--pgdata", data, "--log", f"{data}/log", "--options", options)

    def run(self, program, *arguments):
        # PostgreSQL refuses to run as root.
        user = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups", "--"]
        command = (user if os.geteuid() == 0 else []) + [f"{self.programs}/{program}", *arguments]
        subprocess.run(command, check=True, cwd=self.folder, stdout=subprocess.DEVNULL)

    def stop(self):
        self.run("pg_ctl", "stop", "--mode", "immediate", "--pgdata", self.data)

    def sql(self, text):
        command = ["psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "tenantry", "-d", "postgres", "-X", "-q",
                   "-t", "-A", "-v", "ON_ERROR_STOP=1"]
        done = subprocess.run(command, input=text, text=True, capture_output=True)
        if done.returncode:
            raise SystemExit(f"{done.stderr}\nin:\n{text[:2000]}")
        return done.stdout.strip()

    def seconds(self, text):
        begun = time.monotonic()
        self.sql(text)
        return time.monotonic() - begun

    def query(self, statement, prepared=False):
        """The median time of a query in milliseconds, when the caches are warm.

        Prepared, as a pool of connections keeps its statements: after five runs PostgreSQL may have chosen a plan
        that knows nothing of the value.
        """
        run = statement
        if prepared:
            given = re.search(r"('[^']*')::(text\[\]|jsonb)", statement)
            self_contained = statement.replace(given[0], "$1", 1)
            statement, run = f"prepare q({given[2]}) as {self_contained}", f"execute q({given[1]})"
        out = self.sql(f"{statement};\n\\o /dev/null\n" + f"{run};\n" * 10 + "\\timing on\n" + f"{run};\n" * RUNS)
        times = [float(found) for found in re.findall(r"Time: ([0-9.]+) ms", out)]
        return statistics.median(times)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def escaped(value):
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t")


def array(items):
    quoted = ('"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"' for item in items)
    return "{" + ",".join(quoted) + "}"


def stage(server, count):
    """Puts what a scan would send into the server, so that only storing is timed."""
    rows = server.folder / "given.tsv"
    tags = server.folder / "given_tag.tsv"
    with rows.open("w") as to, tags.open("w") as tags_to:
        for number, resource in enumerate(resources(count)):
            batch = number // BATCH
            found = terms(resource["tags"])
            row = [batch, resource["id"], resource["organization"], resource["subscription"], resource["arm_id"],
                   resource["name"], json.dumps(resource["tags"]),
                   json.dumps({name.lower(): value for name, value in resource["tags"].items()}), array(found),
                   json.dumps(found), json.dumps([own_term(resource["organization"], one) for one in found])]
            to.write("\t".join(escaped(str(value)) for value in row) + "\n")
            for name, value in resource["tags"].items():
                one = [batch, resource["id"], resource["organization"], name.lower(), name, value]
                tags_to.write("\t".join(escaped(str(value)) for value in one) + "\n")
    server.sql(f"""
        create unlogged table given (batch int, id uuid, organization_id uuid, subscription_id uuid, arm_id text,
            name text, tags jsonb, folded jsonb, terms text[], json_terms jsonb, own_terms jsonb);
        create unlogged table given_tag (batch int, resource_id uuid, organization_id uuid, name_folded text,
            name text, value text);
        \\copy given from '{rows}'
        \\copy given_tag from '{tags}'
        create index on given (batch); create index on given_tag (batch);
        vacuum analyze given; vacuum analyze given_tag; checkpoint;
    """)
    rows.unlink()
    tags.unlink()


PLAIN = "id, organization_id, subscription_id, arm_id, name"


class Layout:
    """One way to store tags: its tables and indexes, how a batch is stored, and how it is asked."""

    def __init__(self, title, columns="", given="", index="", has=None, tags="r.tags", change="", rows=False):
        self.title, self.columns, self.given, self.index = title, columns, given, index
        self.has, self.tags, self.change, self.rows = has, tags, change, rows

    def create(self):
        extra = """create table resource_tag (resource_id uuid not null, organization_id uuid not null,
            name_folded text not null, name text not null, value text not null, primary key (resource_id, name_folded));
            """ if self.rows else ""
        return f"""drop table if exists resource, resource_tag; checkpoint;
            create table resource (id uuid primary key, organization_id uuid not null, subscription_id uuid not null,
                arm_id text not null, name text not null, resource_type text not null default
                'microsoft.compute/virtualmachines', location text default 'westeurope', content_hash bigint default 7,
                first_seen_at timestamptz not null default now(), changed_at timestamptz not null default now(),
                deleted_at timestamptz {self.columns});
            {extra}
            create index on resource (organization_id, subscription_id, id);
            create index on resource (organization_id, lower(name collate "C"), id) where deleted_at is null;
            {self.index}"""

    def store(self, batches):
        given = "".join(f", {column}" for column in self.given.split())
        columns = "".join(f", {column.split()[0]}" for column in self.columns.strip(", ").split(",") if column)
        tags = "insert into resource_tag (resource_id, organization_id, name_folded, name, value) select resource_id, " \
               "organization_id, name_folded, name, value from given_tag where batch = n;" if self.rows else ""
        return f"""do $$ begin for n in 0..{batches - 1} loop
            insert into resource ({PLAIN}{columns}) select {PLAIN}{given} from given where batch = n; {tags}
            commit; end loop; end $$;"""

    def count(self, organization, where):
        return f"select count(*) from resource r where r.organization_id = '{organization}' " \
               f"and r.deleted_at is null and {where}"

    def page(self, organization, where):
        return f"select r.id, r.name, {self.tags} from resource r where r.organization_id = '{organization}' " \
               f"and r.deleted_at is null and {where} order by lower(r.name collate \"C\"), r.id limit {PAGE}"


def by_row(organization, name, value=None):
    also = "" if value is None else f" and t.value = '{value}'"
    return "exists (select from resource_tag t where t.resource_id = r.id " \
           f"and t.organization_id = '{organization}' and t.name_folded = '{name}'{also})"


def by_folded(_, name, value=None):
    # jsonb_path_ops answers whether a name is there only as a path, not by the operator `?`.
    if value is None:
        return f"r.folded @? '$.{name}'"
    return f"r.folded @> '{json.dumps({name: value})}'::jsonb"


def term(name, value):
    return name if value is None else f"{name}\n{value}"


def by_terms(_, name, value=None):
    return f"r.tag_terms @> '{array([term(name, value)])}'::text[]"


def by_json_terms(_, name, value=None):
    return f"r.tag_terms @> '{json.dumps([term(name, value)])}'::jsonb"


def by_own_terms(organization, name, value=None):
    return f"r.tag_terms @> '[{own_term(organization, term(name, value))}]'::jsonb"


OF_CHANGED = "id = any (select id from changed)"
TAG_ROWS_OF = "(select jsonb_object_agg(t.name, t.value) from resource_tag t where t.resource_id = r.id)"


def gin(column, operators, fast):
    return f"create index tags_found on resource using gin ({column} {operators}) with (fastupdate = {fast}) " \
           "where deleted_at is null;"


def layouts():
    yield Layout("none: `jsonb`, no index", ", tags jsonb", "tags")
    yield Layout("(a) a row per tag", index="create index on resource_tag (organization_id, name_folded, value);",
                 has=by_row, tags=TAG_ROWS_OF, rows=True,
                 change="update resource_tag set value = 'changed' where name_folded = 'environment' "
                        "and resource_id = any (select id from changed)")
    for fast in ["on", "off"]:
        yield Layout(f"(b) folded `jsonb`, GIN path_ops, fastupdate {fast}", ", tags jsonb, folded jsonb",
                     "tags folded", gin("folded", "jsonb_path_ops", fast), by_folded,
                     change="update resource set tags = tags || '{\"Environment\": \"changed\"}', "
                            f"folded = folded || '{{\"environment\": \"changed\"}}' where {OF_CHANGED}")
    for fast in ["on", "off"]:
        yield Layout(f"(c) `jsonb` + `text[]` terms, GIN array_ops, fastupdate {fast}",
                     ", tags jsonb, tag_terms text[]", "tags terms", gin("tag_terms", "array_ops", fast), by_terms,
                     change="update resource set tags = tags || '{\"Environment\": \"changed\"}', "
                            f"tag_terms = tag_terms || E'environment\\nchanged'::text where {OF_CHANGED}")
    for fast in ["on", "off"]:
        yield Layout(f"(d) `jsonb` + `jsonb` terms, GIN path_ops, fastupdate {fast}",
                     ", tags jsonb, tag_terms jsonb", "tags json_terms", gin("tag_terms", "jsonb_path_ops", fast),
                     by_json_terms,
                     change="update resource set tags = tags || '{\"Environment\": \"changed\"}', "
                            f"tag_terms = tag_terms || '[\"environment\\nchanged\"]' where {OF_CHANGED}")
    yield Layout("(e) `jsonb` + terms hashed with the organization, GIN path_ops, fastupdate on",
                 ", tags jsonb, tag_terms jsonb", "tags own_terms", gin("tag_terms", "jsonb_path_ops", "on"),
                 by_own_terms, change="update resource set tags = tags || '{\"Environment\": \"changed\"}', "
                                      f"tag_terms = tag_terms || '[1]' where {OF_CHANGED}")


def filters(has):
    """What is asked, by title: the organization and the condition."""
    return {
        "name": (BIG, has(BIG, COMMON[0])),
        "value, 5 %": (BIG, has(BIG, *COMMON)),
        "value, 0.01 %": (BIG, has(BIG, *RARE)),
        "one, not another": (BIG, f"{has(BIG, PRESENT)} and not {has(BIG, ABSENT)}"),
        "value, small organization": (SMALL, has(SMALL, *COMMON)),
    }


def measure_postgres(server, layout, count):
    server.sql(layout.create())
    figures = {"stored, rows/s": count / server.seconds(layout.store(-(-count // BATCH)))}
    if "fastupdate = on" in layout.index:
        figures["then merged, s"] = server.seconds("select gin_clean_pending_list('tags_found')")
    server.sql("vacuum analyze resource;" + (" vacuum analyze resource_tag;" if layout.rows else ""))
    sizes = "select sum(pg_total_relation_size(c))/1e6 from unnest(array['resource'{}]::regclass[]) c"
    figures["disk, MB"] = float(server.sql(sizes.format(", 'resource_tag'" if layout.rows else "")))
    index = "resource_tag_organization_id_name_folded_value_idx" if layout.rows else "tags_found"
    if layout.has is None:
        return figures
    figures["tag index, MB"] = float(server.sql(f"select pg_relation_size('{index}')/1e6"))
    for title, (organization, where) in filters(layout.has).items():
        figures[f"{title}: rows"] = int(server.sql(layout.count(organization, where)))
        figures[f"{title}: count, ms"] = server.query(layout.count(organization, where))
        figures[f"{title}: page, ms"] = server.query(layout.page(organization, where))
        if "'::" in where:
            figures[f"{title}: page, prepared, ms"] = server.query(layout.page(organization, where), prepared=True)
    server.sql(f"drop table if exists changed; create table changed as select resource_id as id from given_tag "
               f"where name_folded = 'environment' and organization_id = '{BIG}' order by resource_id limit {CHANGED}")
    figures["change 1,000, ms"] = 1_000 * server.seconds(layout.change)
    return figures


def table(title, columns):
    print(f"\n| {title} | " + " | ".join(columns) + " |\n|" + " --- |" * (len(columns) + 1))
    names = dict.fromkeys(name for figures in columns.values() for name in figures)
    for name in names:
        cells = [figures.get(name) for figures in columns.values()]
        shown = ["" if cell is None else f"{cell:,.0f}" if cell >= 100 else f"{cell:.3g}" for cell in cells]
        print(f"| {name} | " + " | ".join(shown) + " |")
    sys.stdout.flush()


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
