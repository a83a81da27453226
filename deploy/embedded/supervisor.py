"""Starts one child program and, in owned mode, takes it down when the owner dies.

Run by path with `python -I -S supervisor.py <mode> <owner pid> <grace seconds> <program> [arguments]`;
standard library only, so that it is up in about 20 ms. It prints the child's pid, or `error: <why>`, on
standard output; the child's own output goes to standard error.

Why a process of its own: a parent killed with SIGKILL cannot clean up, and PR_SET_PDEATHSIG fires when the
*thread* that forked ends, which would kill a broker started from a worker thread. So the owner holds the
writing end of a pipe that is this process's standard input. The kernel closes it however the owner dies; then
the child gets SIGTERM, and SIGKILL after the grace. A copy of the pipe in a forked sibling of the owner would
keep it open, so the parent pid is watched too. If this process itself is killed, PR_SET_PDEATHSIG kills the
child (Linux; its only thread is the main thread, so the rule above does no harm).

In detached mode it prints the pid and leaves; the child goes on in a session of its own and is nobody's
zombie.
"""

import ctypes
import os
import select
import signal
import subprocess
import sys

PR_SET_PDEATHSIG = 1
WATCH_SECONDS = 0.25


def _die_with(parent: int) -> None:
    """Runs in the forked child, before exec."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the supervisor died before the line above took hold
            os._exit(1)


def _stop(child: subprocess.Popen[bytes], grace_seconds: float) -> None:
    child.terminate()
    try:
        child.wait(grace_seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _owner_lives(owner: int, timeout_seconds: float) -> bool:
    readable, _, _ = select.select([0], [], [], timeout_seconds)
    if readable and not os.read(0, 1):
        return False
    return os.getppid() == owner


def _watch(child: subprocess.Popen[bytes], owner: int, grace_seconds: float) -> int:
    asked_to_stop = False

    def ask(_number: int, _frame: object) -> None:
        nonlocal asked_to_stop
        asked_to_stop = True

    signal.signal(signal.SIGTERM, ask)
    while child.poll() is None:
        if asked_to_stop or not _owner_lives(owner, WATCH_SECONDS):
            _stop(child, grace_seconds)
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def _report(line: str) -> None:
    os.write(1, f"{line}\n".encode())
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)


def main(arguments: list[str]) -> int:
    mode, owner, grace, *program = arguments
    me = os.getpid()
    before_exec = (lambda: _die_with(me)) if mode == "owned" else None
    try:
        child = subprocess.Popen(
            program,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),
            start_new_session=True,
            preexec_fn=before_exec,  # noqa: PLW1509 - there is one thread here
        )
    except OSError as error:
        _report(f"error: {program[0]}: {error.strerror}")
        return 1
    _report(str(child.pid))
    if mode == "detached":
        child.returncode = 0  # it lives on by intention; keeps Popen from complaining
        return 0
    return _watch(child, int(owner), float(grace))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
