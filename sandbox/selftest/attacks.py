"""The attacks as data. Each is Python that prints `tried`, and then `broke` or `held` with a word about it.

A control is the same code in a container without the protection in question; there it has to print `broke`, which proves
that the attack is a real one. Where lifting the protection would touch the host, there is no control, and that is said.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

from devops_chatbot.i18n import Reason
from sandbox.docker.hardening import SHARED_MB, ContainerOptions, HostOptions
from sandbox.model import Limits

Relax = Callable[[ContainerOptions], ContainerOptions]
LIMITS = Limits(seconds=20, memory_mb=256, cpus=1, processes=40, disk_mb=48, open_files=256, output_bytes=1_000_000)
TOUCHES_HOST = Reason("attack.would_touch_the_host")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """One attack. `control_limits` and `relax` say how its control's container differs."""

    name: Reason
    code: str
    control_limits: Limits | None = None
    relax: Relax | None = None
    no_control: Reason | None = None
    ends_by_force: bool = False
    """Whether it counts as held when the kernel ends the code before it can say so."""


def without(**host: object) -> Relax:
    """A control's options with these host options changed."""

    def relax(options: ContainerOptions) -> ContainerOptions:
        changed = cast(HostOptions, {**options["HostConfig"], **host})
        return {**options, "HostConfig": changed}

    return relax


def as_root(**host: object) -> Relax:
    """The same, and as the super-user of the container."""

    def relax(options: ContainerOptions) -> ContainerOptions:
        return {**without(**host)(options), "User": "0:0"}

    return relax


def with_folders(bound: str, instead: str) -> Relax:
    """A control's options with a bound of the folders in memory, found by its pattern, replaced."""

    def relax(options: ContainerOptions) -> ContainerOptions:
        folders = options["HostConfig"]["Tmpfs"].items()
        return without(Tmpfs={folder: re.sub(bound, instead, how) for folder, how in folders})(options)

    return relax


def on_the_bridge(options: ContainerOptions) -> ContainerOptions:
    """A control's options with the engine's usual network."""
    return {**without(NetworkMode="default")(options), "NetworkDisabled": False}


_CALL = """
import ctypes, os, platform
libc = ctypes.CDLL(None, use_errno=True)
def call(amd64, arm64, *arguments):
    print('tried')
    result = libc.syscall(amd64 if platform.machine() == 'x86_64' else arm64, *arguments)
    print('held ' + os.strerror(ctypes.get_errno()) if result == -1 else 'broke', flush=True)
"""
_TRY = """
def attempt(*actions):
    print('tried')
    reasons = []
    for action in actions:
        try:
            action()
        except OSError as error:
            reasons.append(error.strerror or str(error))
        else:
            print('broke'); return
    print('held ' + ', '.join(sorted(set(reasons))))
"""
_NETWORK = """
import socket, struct
def gateway():
    for line in open('/proc/net/route'):
        words = line.split()
        if words[1] == '00000000': return socket.inet_ntoa(struct.pack('<L', int(words[2], 16)))
    return '172.17.0.1'
"""
UNCONFINED = ["seccomp=unconfined", "no-new-privileges:true"]

ATTACKS: tuple[Attack, ...] = (
    Attack(
        name=Reason("attack.fork_bomb"),
        code="""
import os, signal, time
print('tried', flush=True)
children = []
try:
    while len(children) < 150:
        pid = os.fork()
        if pid == 0: time.sleep(30); os._exit(0)
        children.append(pid)
except OSError as error:
    print(f'held {len(children)} processes, then {error.strerror}')
else:
    print('broke')
for pid in children: os.kill(pid, signal.SIGKILL); os.waitpid(pid, 0)
""",
        control_limits=replace(LIMITS, processes=220),
    ),
    Attack(
        name=Reason("attack.memory_flood"),
        code="print('tried', flush=True)\nx = bytearray(400 << 20)\nprint('broke')",
        control_limits=replace(LIMITS, memory_mb=640),
        ends_by_force=True,
    ),
    Attack(
        name=Reason("attack.disk_flood"),
        code=_TRY
        + """
def flood():
    for n in range(4):
        with open(f'big{n}', 'wb') as file:
            for _ in range(24): file.write(bytes(1 << 20))
attempt(flood)
""",
        control_limits=replace(LIMITS, disk_mb=120, memory_mb=400),
    ),
    Attack(
        name=Reason("attack.inode_flood"),
        code=_TRY + "def flood():\n    for n in range(20_000): open(f'n{n}', 'w').close()\nattempt(flood)",
        relax=with_folders(r",nr_inodes=\d+", ""),
    ),
    Attack(
        name=Reason("attack.shared_memory_flood"),
        code=_TRY
        + """
def flood():
    with open('/dev/shm/big', 'wb') as file:
        for _ in range(40): file.write(bytes(1 << 20))
attempt(flood)
""",
        relax=with_folders(rf"size={SHARED_MB}m", "size=64m"),
    ),
    Attack(
        name=Reason("attack.file_descriptor_flood"),
        code=_TRY + "import os\nattempt(lambda: [os.open('/dev/null', os.O_RDONLY) for _ in range(1000)])",
        control_limits=replace(LIMITS, open_files=2048),
    ),
    Attack(
        name=Reason("attack.network_the_host"),
        code=_NETWORK + _TRY + "attempt(lambda: socket.create_connection((gateway(), PORT), timeout=2))",
        relax=on_the_bridge,
    ),
    Attack(
        name=Reason("attack.network_any_way_out"),
        code=_TRY + "import socket\nnames = [n for _, n in socket.if_nameindex() if n != 'lo']\n"
        "def look():\n    if not names: raise OSError('no interface but lo')\nattempt(look)",
        relax=on_the_bridge,
    ),
    Attack(
        name=Reason("attack.network_metadata_address"),
        code=_TRY + "import socket\nattempt(lambda: socket.create_connection(('169.254.169.254', 80), timeout=2))",
        no_control=Reason("attack.perhaps_no_cloud"),
    ),
    Attack(
        name=Reason("attack.network_dns"),
        code=_TRY + "import socket\nattempt(lambda: socket.getaddrinfo('example.org', 80))",
        no_control=Reason("attack.perhaps_no_dns"),
    ),
    Attack(
        name=Reason("attack.network_raw_packets"),
        code=_TRY + "import socket\nattempt(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW), "
        "lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))",
        relax=as_root(CapDrop=[], SecurityOpt=UNCONFINED),
    ),
    Attack(
        name=Reason("attack.mount"),
        code=_CALL + "call(165, 40, b'none', b'/work', b'tmpfs', 0, None)",
        relax=as_root(CapDrop=[], CapAdd=["SYS_ADMIN"], SecurityOpt=["seccomp=unconfined", "apparmor=unconfined"]),
    ),
    Attack(
        name=Reason("attack.write_to_the_root_file_system"),
        code=_TRY
        + "attempt(lambda: open('/usr/bin/python3', 'ab'), lambda: open('/etc/x', 'w'), lambda: open('/x', 'w'))",
        relax=as_root(ReadonlyRootfs=False, CapDrop=[]),
    ),
    Attack(
        name=Reason("attack.write_to_proc_and_sys"),
        code=_TRY
        + """
def write(path):
    with open(path, 'r+') as file: file.write('0')
places = ('/proc/sys/kernel/core_pattern', '/proc/sysrq-trigger', '/proc/sys/vm/overcommit_memory',
          '/proc/irq/default_smp_affinity', '/sys/kernel/uevent_helper', '/sys/power/state',
          '/sys/module/kernel/parameters/panic')
attempt(*(lambda place=place: write(place) for place in places))
""",
        no_control=TOUCHES_HOST,
    ),
    Attack(
        name=Reason("attack.capabilities"),
        code="print('tried')\nlines = dict(l.split(':\\t', 1) for l in open('/proc/self/status').read().splitlines())\n"
        "has = int(lines['CapEff'], 16) | int(lines['CapPrm'], 16) | int(lines['CapBnd'], 16)\n"
        "print('broke' if has else 'held effective, permitted and bounding set are empty')",
        relax=without(CapDrop=[]),
    ),
    Attack(
        name=Reason("attack.ptrace"),
        code=_CALL + "call(101, 117, 0, 0, 0, 0)",
        relax=without(SecurityOpt=UNCONFINED),
    ),
    Attack(
        name=Reason("attack.reading_another_process_memory"),
        code=_CALL
        + """
import subprocess
class Piece(ctypes.Structure):
    _fields_ = [('base', ctypes.c_void_p), ('length', ctypes.c_size_t)]
child = subprocess.Popen(['sleep', '9'])
buffer = ctypes.create_string_buffer(8)
start = int(open(f'/proc/{child.pid}/maps').readline().split('-')[0], 16)
ours, theirs = Piece(ctypes.addressof(buffer), 8), Piece(start, 8)
call(310, 270, child.pid, ctypes.byref(ours), 1, ctypes.byref(theirs), 1, ctypes.c_long(0))
child.kill()
""",
        relax=without(SecurityOpt=UNCONFINED),
    ),
    Attack(
        name=Reason("attack.kernel_keyring"),
        code=_CALL + "call(248, 217, b'user', b'selftest', b'x', 1, -2)",
        relax=without(SecurityOpt=UNCONFINED),
    ),
    Attack(
        name=Reason("attack.user_namespace"),
        code=_CALL + "call(272, 97, 0x10000000)",
        relax=without(SecurityOpt=[*UNCONFINED, "apparmor=unconfined"]),
    ),
    Attack(
        name=Reason("attack.io_uring_and_bpf"),
        code=_CALL + "parameters = ctypes.create_string_buffer(256)\ncall(425, 425, 4, parameters)",
        relax=without(SecurityOpt=UNCONFINED, Ulimits=[]),
    ),
    Attack(
        name=Reason("attack.device_nodes"),
        code=_TRY + "import os, stat\nattempt(lambda: os.mknod('disk', stat.S_IFBLK | 0o600, os.makedev(254, 0)))",
        relax=as_root(CapDrop=[]),
    ),
    Attack(
        name=Reason("attack.setuid_programs"),
        code="""
import os, stat
print('tried')
found = [os.path.join(d, f) for top in ('/usr', '/bin', '/sbin', '/opt') for d, _, fs in os.walk(top) for f in fs
         if os.lstat(os.path.join(d, f)).st_mode & (stat.S_ISUID | stat.S_ISGID) and not os.path.islink(os.path.join(d, f))]
barred = 'NoNewPrivs:\\t1' in open('/proc/self/status').read()
print('held none in the image, and no new privileges' if barred and not found else 'broke')
""",
        relax=without(SecurityOpt=["seccomp=unconfined"]),
    ),
    Attack(
        name=Reason("attack.cgroup_escape"),
        code=_TRY
        + """
import glob, os
def write(path):
    with open(path, 'w') as file: file.write('/work/x')
places = [p for n in ('release_agent', 'cgroup.procs') for p in glob.glob('/sys/fs/cgroup/**/' + n, recursive=True)]
makes = [lambda d=d: os.mkdir(d + '/out') for d in ['/sys/fs/cgroup', *glob.glob('/sys/fs/cgroup/*/')]]
attempt(*(lambda place=place: write(place) for place in places[:40]), *makes)
""",
        no_control=TOUCHES_HOST,
    ),
    Attack(
        name=Reason("attack.search_for_the_engine_socket"),
        code="""
import os, stat
print('tried')
def sockets():
    for top in ('/var/run', '/run', '/tmp', '/work', '/dev', '/mnt', '/host'):
        for folder, _, names in os.walk(top):
            for name in names:
                if stat.S_ISSOCK(os.lstat(os.path.join(folder, name)).st_mode): yield os.path.join(folder, name)
found = list(sockets())
mounts = [line.split()[1] for line in open('/proc/mounts') if line.split()[0].startswith('/dev/') and line.split()[1] not in
          ('/', '/etc/resolv.conf', '/etc/hostname', '/etc/hosts')]
print(f'broke {found} {mounts}' if found or mounts else 'held no socket and no mount of the host')
""",
        no_control=TOUCHES_HOST,
    ),
    Attack(
        name=Reason("attack.reaching_into_the_supervisor"),
        code=_TRY
        + "import os, resource\nplaces = ('mem', 'environ', 'fd/1', 'fd/0')\n"
        "attempt(*(lambda p=p: open(f'/proc/WHO/{p}', 'rb').read(1) for p in places), "
        "lambda: os.listdir('/proc/WHO/fd'), lambda: resource.prlimit(int('WHO'), resource.RLIMIT_NOFILE, (9, 9)))".replace(
            "WHO", "1"
        ),
        no_control=Reason("attack.shown_by", attack=Reason("attack.reading_another_process_memory")),
    ),
)
