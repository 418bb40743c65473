"""Which system calls code in a container may make: a list of what programs need, everything else is refused.

Stricter than the engine's own list: no tracing or reading of other processes, no keyring, no namespaces, no io_uring,
no bpf, no handles on other processes, sockets of the ordinary families only, and limits of one's own process only.
"""

import functools
import json

_FILES = """
access chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 fadvise64
fallocate fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fremovexattr
fsetxattr fstat fstatfs fsync ftruncate futimesat getcwd getdents getdents64 getxattr inotify_add_watch inotify_init
inotify_init1 inotify_rm_watch ioctl lchown lgetxattr link linkat listxattr llistxattr lremovexattr lseek lsetxattr
lstat mkdir mkdirat mknod mknodat newfstatat open openat openat2 pipe pipe2 pread64 preadv preadv2 pwrite64 pwritev
pwritev2 read readahead readlink readlinkat readv removexattr rename renameat renameat2 rmdir sendfile setxattr splice
stat statfs statx symlink symlinkat sync sync_file_range syncfs tee truncate umask unlink unlinkat utime utimensat
utimes vmsplice write writev
"""
_MEMORY = """
brk madvise membarrier memfd_create mincore mlock mlock2 mlockall mmap mprotect mremap msync munlock munlockall munmap
pkey_alloc pkey_free pkey_mprotect remap_file_pages
"""
_PROCESSES = """
arch_prctl capget capset execve execveat exit exit_group fork getcpu getegid geteuid getgid getgroups getpgid getpgrp
getpid getppid getpriority getresgid getresuid getrlimit getrusage getsid gettid getuid get_robust_list
get_thread_area ioprio_get ioprio_set kill prctl restart_syscall rseq sched_getaffinity sched_getattr sched_getparam
sched_getscheduler sched_get_priority_max sched_get_priority_min sched_rr_get_interval sched_setaffinity sched_setattr
sched_setparam sched_setscheduler sched_yield seccomp setfsgid setfsuid setgid setgroups setpgid setpriority setregid
setresgid setresuid setreuid setrlimit setsid setuid set_robust_list set_thread_area set_tid_address sysinfo tgkill
times tkill uname vfork wait4 waitid
"""
_SIGNALS_AND_TIME = """
alarm clock_getres clock_gettime clock_nanosleep epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2
epoll_wait eventfd eventfd2 futex futex_waitv getitimer gettimeofday nanosleep pause pidfd_open pidfd_send_signal poll
ppoll pselect6 rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
rt_tgsigqueueinfo select setitimer sigaltstack signalfd signalfd4 time timer_create timer_delete timer_getoverrun
timer_gettime timer_settime timerfd_create timerfd_gettime timerfd_settime getrandom
"""
_TALKING = """
accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmmsg recvmsg sendmmsg sendmsg
sendto setsockopt shutdown socketpair mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink semctl
semget semop semtimedop shmat shmctl shmdt shmget msgctl msgget msgrcv msgsnd
"""
_SOCKET_FAMILIES = {"unix": 1, "inet": 2, "inet6": 10, "netlink": 16}
_NEW_NAMESPACES = 0x7E020000  # every CLONE_NEW… flag
_PLAIN_PERSONALITIES = (0, 0x0008, 0x20000, 0x20008, 0xFFFFFFFF)
_NO_SUCH_CALL = 38  # makes the C library fall back to the call that it used before


@functools.cache
def profile(*, gvisor: bool = False) -> str:
    """The profile as the engine takes it.

    gVisor refuses a call with the one error that it knows, with which the C library would not fall back from `clone3`; and the
    namespaces that it could make there are gVisor's own.
    """
    names = " ".join((_FILES, _MEMORY, _PROCESSES, _SIGNALS_AND_TIME, _TALKING)).split()
    rules: list[dict[str, object]] = [{"names": sorted(names), "action": "SCMP_ACT_ALLOW"}]
    rules += [_when("socket", 0, family) for family in _SOCKET_FAMILIES.values()]
    rules += [_when("personality", 0, value) for value in _PLAIN_PERSONALITIES]
    rules.append(_when("prlimit64", 0, 0))
    rules.append(_when("clone", 0, _NEW_NAMESPACES, masked_to=0))
    refused = {"action": "SCMP_ACT_ERRNO", "errnoRet": _NO_SUCH_CALL}
    rules.append({"names": ["clone3"], **({"action": "SCMP_ACT_ALLOW"} if gvisor else refused)})
    return json.dumps(
        {
            "defaultAction": "SCMP_ACT_ERRNO",
            "archMap": [
                {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": []},
                {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": []},
            ],
            "syscalls": rules,
        }
    )


def _when(name: str, index: int, value: int, *, masked_to: int | None = None) -> dict[str, object]:
    condition: dict[str, int | str] = {"index": index, "value": value, "op": "SCMP_CMP_EQ"}
    if masked_to is not None:
        condition |= {"op": "SCMP_CMP_MASKED_EQ", "valueTwo": masked_to}
    return {"names": [name], "action": "SCMP_ACT_ALLOW", "args": [condition]}
