"""The one place that turns limits into the options of a container."""

from typing import TypedDict

from sandbox.docker.seccomp import profile
from sandbox.model import Limits

OF_A_CONTAINER = ("memory_mb", "cpus", "processes", "disk_mb", "open_files")
GROUP = 10_001
FIRST_USER, USERS = 20_000, 1_024
"""Users that the image knows. What the kernel counts by user (watches, timers, queues, descriptors under way) would be one
budget for all sessions, and any of them could use it up, if they were one user."""
TMP_MB = 16
SHARED_MB = 16
INODES = 16_384
GVISOR, GVISOR_TASKS = "runsc", 64
NO_LINKS_OUT = "nosuid,nodev"


class Ulimit(TypedDict):
    """As the engine's API spells it."""

    Name: str
    Soft: int
    Hard: int


class HostOptions(TypedDict, total=False):
    """`HostConfig` of the engine's API, as far as we set it."""

    AutoRemove: bool
    Binds: list[str]
    CapAdd: list[str]
    CapDrop: list[str]
    CgroupnsMode: str
    CpuPeriod: int
    CpuQuota: int
    Devices: list[str]
    IpcMode: str
    LogConfig: dict[str, str]
    Memory: int
    MemorySwap: int
    MemorySwappiness: int
    NetworkMode: str
    OomScoreAdj: int
    PidsLimit: int
    Privileged: bool
    ReadonlyRootfs: bool
    RestartPolicy: dict[str, str]
    Runtime: str
    SecurityOpt: list[str]
    Tmpfs: dict[str, str]
    Ulimits: list[Ulimit]


class ContainerOptions(TypedDict, total=False):
    """The body of the engine's "create a container"."""

    Image: str
    User: str
    Cmd: list[str]
    Entrypoint: list[str]
    WorkingDir: str
    Env: list[str]
    Hostname: str
    Labels: dict[str, str]
    AttachStdin: bool
    AttachStdout: bool
    AttachStderr: bool
    OpenStdin: bool
    StdinOnce: bool
    Tty: bool
    NetworkDisabled: bool
    StopSignal: str
    HostConfig: HostOptions


def same_container(one: Limits, other: Limits) -> bool:
    """Whether a container made with the one serves the other: limits of a run need no other container."""
    return all(getattr(one, name) == getattr(other, name) for name in OF_A_CONTAINER)


def container_options(
    limits: Limits,
    *,
    image: str,
    folder: str,
    number: int = 0,
    runtime: str | None = None,
    labels: dict[str, str] | None = None,
) -> ContainerOptions:
    """The options of a session's container. Nothing of a session's limits reaches the engine by another way.

    `number` tells it from others that live at the same time: they are different users.
    """
    gvisor = (runtime or "").startswith(GVISOR)
    user = f"{FIRST_USER + number % USERS}:{GROUP}"
    memory = limits.memory_mb << 20
    host: HostOptions = {
        # The container goes when its process ends, and its process ends when the stream to us does.
        "AutoRemove": True,
        "RestartPolicy": {"Name": "no"},
        "NetworkMode": "none",
        "IpcMode": "none",
        "CapDrop": ["ALL"],
        "CapAdd": [],
        "Privileged": False,
        "SecurityOpt": ["no-new-privileges:true", f"seccomp={profile(gvisor=gvisor)}"],
        "ReadonlyRootfs": True,
        "Binds": [],
        "Devices": [],
        "Tmpfs": {
            folder: _tmpfs(limits.disk_mb, "0700", INODES, owner=user),
            "/tmp": _tmpfs(TMP_MB, "1777", INODES // 4),  # noqa: S108 - a path inside the container
            "/dev/shm": _tmpfs(SHARED_MB, "1777", 1024) + ",noexec",  # noqa: S108
        },
        "Memory": memory,
        "MemorySwap": memory,  # the same number: no swap
        "CpuPeriod": 100_000,
        "CpuQuota": round(limits.cpus * 100_000),
        # The engine counts tasks of the host. gVisor needs some of its own and up to eight for each process inside, and
        # ends with everything in it when it does not get one.
        "PidsLimit": 8 * limits.processes + GVISOR_TASKS if gvisor else limits.processes,
        "OomScoreAdj": 500,
        "Ulimits": [
            _ulimit("nofile", limits.open_files),
            _ulimit("fsize", limits.disk_mb << 20),
            _ulimit("core", 0),
            _ulimit("memlock", 0),
            _ulimit("msgqueue", 65_536),
            _ulimit("sigpending", 4096),
        ],
        # What code prints must never fill the host's disk.
        "LogConfig": {"Type": "none"},
    }
    if runtime:
        host["Runtime"] = runtime
    return {
        "Image": image,
        "User": user,
        "Entrypoint": ["python3", "-I", "-S", "/opt/sandbox/supervisor"],
        "Cmd": [folder],
        "WorkingDir": folder,
        "Env": [],
        "Hostname": "sandbox",
        "Labels": labels or {},
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        "OpenStdin": True,
        "StdinOnce": True,
        "Tty": False,
        "NetworkDisabled": True,
        "StopSignal": "SIGKILL",
        "HostConfig": host,
    }


def _tmpfs(size_mb: int, mode: str, inodes: int, *, owner: str = "") -> str:
    user, _, group = owner.partition(":")
    owned = f",uid={user},gid={group}" if owner else ""
    return f"rw,exec,{NO_LINKS_OUT},size={size_mb}m,nr_inodes={inodes},mode={mode}{owned}"


def _ulimit(name: str, value: int) -> Ulimit:
    return {"Name": name, "Soft": value, "Hard": value}
