"""What the operating system says of this process: how much memory it holds, and how much it may have."""

import resource
from pathlib import Path

PROC = Path("/proc")
CGROUP = Path("/sys/fs/cgroup")


def resident_bytes(proc: Path = PROC) -> int | None:
    """Return the bytes of memory that the process holds now; None where the system does not say."""
    try:
        pages = (proc / "self" / "statm").read_text().split()[1]
    except OSError:
        return None
    return int(pages) * resource.getpagesize()


def memory_bytes(proc: Path = PROC, cgroup: Path = CGROUP) -> int | None:
    """Return the bytes of memory that there are for the process: the container's limit, else the machine's memory."""
    known = [_limit(cgroup / "memory.max"), _limit(cgroup / "memory" / "memory.limit_in_bytes"), _total(proc)]
    return min((each for each in known if each is not None), default=None)


def _limit(path: Path) -> int | None:
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None


def _total(proc: Path) -> int | None:
    try:
        lines = (proc / "meminfo").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemTotal:")), None)
