"""A private PostgreSQL, for as long as the measurement takes."""

import glob
import os
import re
import shutil
import socket
import statistics
import subprocess
import time
from pathlib import Path

from resources import RUNS


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
