"""The supervised worker comes back from every kind of death, and no task is lost with it."""

import os
import signal
import time

import pytest
from django_q.models import OrmQ
from django_q.tasks import async_task

from rsportal.models import WorkerHeartbeat
from rsportal.processes.broker import leases_release
from rsportal.processes.supervisor import ClusterSupervisor, Limits
from tests.processes import child_environment, running_worker, wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True)]
ONLY_DEFAULT = ("--cluster", "default", "--grace", "5")


def lines(path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def test_both_queues_are_served_and_seen(tmp_path):
    with running_worker(tmp_path) as worker:
        async_task("tests.tasks.note", str(tmp_path / "default"))
        async_task("tests.tasks.note", str(tmp_path / "encode"), cluster="encode")
        async_task("tests.tasks.note_modules", str(tmp_path / "modules"), "torch")
        for name in ("default", "encode", "modules"):
            wait_for((tmp_path / name).exists, seconds=90, what=f"the task {name}; worker said:\n{worker.log}")
        assert lines(tmp_path / "modules") == ["none"], "torch is loaded before the workers are forked"
        clusters = wait_for(
            lambda: {row.cluster for row in WorkerHeartbeat.objects.all()} == {"default", "encode"},
            seconds=30,
            what="a heartbeat of each cluster in the database",
        )
        assert clusters
        wait_for(lambda: not OrmQ.objects.exists(), seconds=30, what="the queue to be empty")
        assert worker.stop() == 0


def test_a_worker_process_killed_at_work_is_replaced_and_its_task_runs_again(tmp_path):
    started, gate = tmp_path / "started", tmp_path / "gate"
    with running_worker(tmp_path, *ONLY_DEFAULT) as worker:
        async_task("tests.tasks.note_and_wait", str(started), str(gate))
        killed = worker.kill_busy()
        wait_for(lambda: len(lines(started)) == 2, seconds=60, what=f"the second run; worker said:\n{worker.log}")
        gate.touch()
        wait_for(lambda: not OrmQ.objects.exists(), seconds=30, what="the task to end")
        assert str(killed) in lines(started)
        assert len(set(lines(started))) == 2


def test_the_whole_group_killed_comes_back_and_the_task_runs_again(tmp_path):
    started, gate = tmp_path / "started", tmp_path / "gate"
    with running_worker(tmp_path, *ONLY_DEFAULT) as worker:
        async_task("tests.tasks.note_and_wait", str(started), str(gate))
        wait_for(lambda: worker.busy(), seconds=90, what="the task to begin")
        sentinel = worker.kill_group()
        wait_for(lambda: len(lines(started)) == 2, seconds=90, what=f"the second run; worker said:\n{worker.log}")
        beat = worker.last_beat()
        assert beat is not None
        assert beat.sentinel != sentinel
        gate.touch()
        wait_for(lambda: not OrmQ.objects.exists(), seconds=30, what="the task to end")
        assert worker.stop() == 0


def test_supervisor_and_group_killed_the_next_worker_takes_over(tmp_path):
    started, gate = tmp_path / "started", tmp_path / "gate"
    with running_worker(tmp_path, *ONLY_DEFAULT) as first:
        async_task("tests.tasks.note_and_wait", str(started), str(gate))
        wait_for(lambda: first.busy(), seconds=90, what="the task to begin")
        os.kill(first.process.pid, signal.SIGKILL)
        first.kill_group()
    with running_worker(tmp_path, *ONLY_DEFAULT) as second:
        wait_for(lambda: len(lines(started)) == 2, seconds=90, what=f"the second run; worker said:\n{second.log}")
        gate.touch()
        wait_for(lambda: not OrmQ.objects.exists(), seconds=30, what="the task to end")


def test_a_failed_task_is_not_redelivered(tmp_path):
    with running_worker(tmp_path, *ONLY_DEFAULT) as worker:
        async_task("tests.tasks.fail", str(tmp_path / "failed"))
        wait_for(lambda: lines(tmp_path / "failed"), seconds=90, what=f"the task; worker said:\n{worker.log}")
        wait_for(lambda: not OrmQ.objects.exists(), seconds=30, what="the failure to be acknowledged")
        assert len(lines(tmp_path / "failed")) == 1


@pytest.fixture
def supervisor(tmp_path, monkeypatch):
    """A supervisor in this process that loses its patience quickly."""
    var_dir = tmp_path / "var"
    run_dir = var_dir / "run"
    run_dir.mkdir(parents=True)
    for name, value in child_environment(var_dir).items():
        monkeypatch.setenv(name, value)
    limits = Limits(frozen=3, stale_beat=4)
    found = ClusterSupervisor(cluster="default", run_dir=run_dir, release=leases_release, limits=limits)
    yield found
    found.stop(5)


def test_a_frozen_cluster_is_ended_and_its_task_runs(supervisor, tmp_path):
    """An idle worker that is killed keeps the lock of the queue: nobody else of its cluster gets a task again."""
    beat = wait_for(lambda: supervisor.tick() or supervisor.last_beat(), seconds=90, what="the first beat")
    wait_for(lambda: supervisor.last_beat().workers, seconds=30, what="the workers to be started")
    deadline = time.monotonic() + 2  # The worker must wait at the queue, which it does not tell.
    wait_for(lambda: time.monotonic() > deadline, seconds=9, what="the worker to wait at the queue")
    os.kill(supervisor.last_beat().workers[0], signal.SIGKILL)
    wait_for(
        lambda: supervisor.tick() or supervisor.last_beat().reincarnations,
        seconds=30,
        what="the sentinel to replace the worker",
    )
    async_task("tests.tasks.note", str(tmp_path / "done"))
    wait_for(lambda: supervisor.tick() or lines(tmp_path / "done"), seconds=90, what="the task to run")
    assert supervisor.failures == 1
    assert supervisor.last_beat() is None or supervisor.last_beat().sentinel != beat.sentinel


def test_a_silent_cluster_is_ended(supervisor):
    beat = wait_for(lambda: supervisor.tick() or supervisor.last_beat(), seconds=90, what="the first beat")
    os.kill(beat.sentinel, signal.SIGSTOP)
    again = wait_for(
        lambda: supervisor.tick() or (supervisor.failures and supervisor.last_beat()), seconds=90, what="a new cluster"
    )
    assert again.sentinel != beat.sentinel
