"""What the kernel knows about a process: the CPU time it used and the most memory it held."""

import os
import re
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


def cpu_seconds(pid: int) -> float:
    """Return the seconds of CPU that all threads of the process used so far, user and system together."""
    # The name before the last parenthesis may hold blanks.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system = int(fields[11]), int(fields[12])
    return (user + system) / _TICKS


def peak_memory(pid: int) -> float:
    """Return the largest resident memory so far, in MiB."""
    found = _PEAK.search(Path(f"/proc/{pid}/status").read_text())
    if found is None:
        raise OSError(f"/proc/{pid}/status names no peak memory; this benchmark needs Linux")
    return int(found[1]) / 1024
