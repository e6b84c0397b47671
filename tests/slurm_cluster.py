"""A real SLURM of one node: this machine, with all its cores and memory, and no accounting.

Nothing is installed, and all that it writes is in a folder of its own.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ports import free_port

PARTS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "sinfo")
# Daemons are where the path of a plain user does not lead.
PLACES = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
SETTINGS = """
ClusterName=local
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
ReturnToService=2
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmdSpoolDir={folder}/spool
StateSaveLocation={folder}/state
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MinJobAge=3600
{node} NodeAddr=127.0.0.1 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


@dataclass(frozen=True)
class Job:
    """A job that the cluster was given: its number, its memory in MB, its cores, how it stands."""

    id: int
    mem_mb: int
    cores: int
    state: str


@dataclass(frozen=True)
class Cluster:
    """A running cluster: the settings that its commands need in their environment."""

    environment: dict[str, str]

    def ask(self, *command: str) -> str:
        """Return what one of the cluster's commands prints."""
        environment = os.environ | self.environment
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True
        ).stdout

    def jobs(self) -> list[Job]:
        """Return all jobs so far, the first submitted first."""
        listed = self.ask("squeue", "--states=all", "--noheader", "--format=%i %m %C %T")
        rows = sorted((line.split() for line in listed.splitlines()), key=lambda row: int(row[0]))
        return [Job(int(id_), _megabytes(mem), int(cores), how) for id_, mem, cores, how in rows]


def _megabytes(memory: str) -> int:
    """Return memory such as ``500M`` or ``2G``, as squeue prints it, in MB."""
    return int(float(memory[:-1]) * {"M": 1, "G": 1024}[memory[-1]])


def obstacle() -> str | None:
    """Return why no cluster can be started here, or nothing."""
    missing = [part for part in PARTS if not shutil.which(part, path=PLACES)]
    if missing:
        return f"SLURM is not installed here: no {', '.join(missing)}"
    return "SLURM's daemons must be started by root" if os.geteuid() else None


@contextmanager
def start_cluster() -> Iterator[Cluster]:
    """Start a cluster on free ports, wait until its node is idle, and stop it in the end."""
    with ExitStack() as stack:
        # Sockets have short paths: those of pytest's folders are too long.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slurm")))
        for name in ("spool", "state"):
            (folder / name).mkdir()
        (folder / "munge.key").write_bytes(os.urandom(1024))
        (folder / "munge.key").chmod(0o600)
        settings = folder / "slurm.conf"
        settings.write_text(_settings(folder))
        commands = _steps_with_settings(folder / "bin", settings)
        path = os.pathsep.join([str(commands), os.environ["PATH"]])
        cluster = Cluster({"SLURM_CONF": str(settings), "PATH": path})

        munge = [f"--{name}-file={folder}/munge.{name}" for name in ("key", "pid", "log", "seed")]
        daemons = {
            "munged": ["--foreground", "--force", f"--socket={folder}/munge.socket", *munge],
            "slurmctld": ["-D", "-c", "-f", str(settings)],
            "slurmd": ["-D", "-f", str(settings)],
        }
        for name, arguments in daemons.items():
            stack.enter_context(_daemon(name, arguments, folder))
        _wait_until_idle(cluster, folder)
        stack.callback(_end_jobs, cluster)
        yield cluster


def _settings(folder: Path) -> str:
    """Return the cluster's settings: names, ports and what this machine has."""
    found = subprocess.run(
        [shutil.which("slurmd", path=PLACES), "-C"], capture_output=True, text=True, check=True
    )
    return SETTINGS.format(
        folder=folder,
        host=socket.gethostname().partition(".")[0],
        controller_port=free_port(),
        node_port=free_port(),
        node=found.stdout.splitlines()[0],
    )


def _steps_with_settings(folder: Path, settings: Path) -> Path:
    """Return a folder with an srun that knows the cluster's settings, wherever it is called.

    The executor takes all of SLURM's variables from the environment of a job's step.
    """
    folder.mkdir()
    command = folder / "srun"
    command.write_text(f'#!/bin/sh\nSLURM_CONF={settings} exec {shutil.which("srun")} "$@"\n')
    command.chmod(0o755)
    return folder


@contextmanager
def _daemon(name: str, arguments: list[str], folder: Path) -> Iterator[None]:
    """Run a daemon, with what it prints in a file of the folder."""
    with (folder / f"{name}.out").open("wb") as shown:
        running = subprocess.Popen(
            [shutil.which(name, path=PLACES), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=shown,
            stderr=subprocess.STDOUT,
        )
        try:
            yield
        finally:
            running.terminate()
            running.wait(60)


def _end_jobs(cluster: Cluster) -> None:
    """End all jobs, and wait until their processes are gone: nobody could end them later."""
    cluster.ask("scancel", "--partition=main")
    while cluster.ask("squeue", "--noheader"):
        time.sleep(0.2)


def _wait_until_idle(cluster: Cluster, folder: Path, seconds: float = 30) -> None:
    """Wait until the node takes jobs.

    Raises
    ------
    RuntimeError
        If it does not in time, with what the daemons printed.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if cluster.ask("sinfo", "--noheader", "--format=%T").strip() == "idle":
                return
        except subprocess.CalledProcessError:
            pass  # its controller does not answer yet
        time.sleep(0.2)
    shown = {file.name: file.read_text() for file in sorted(folder.glob("*.[lo][ou][gt]"))}
    raise RuntimeError(f"SLURM did not start in {seconds} s: {shown}")
