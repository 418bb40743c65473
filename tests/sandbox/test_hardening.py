"""Limits become container options in one pure function."""

import json
from typing import Any, cast

import pytest

from devops_chatbot.errors import BadRequest
from sandbox.docker.hardening import ContainerOptions, container_options
from sandbox.limits import Bounds
from sandbox.model import Limits


def options(**changes: Any) -> ContainerOptions:
    limits = Limits(**changes)
    return container_options(limits, image="image", folder="/work", labels={"owner": "me"})


def profile() -> dict[str, Any]:
    (text,) = [option for option in options()["HostConfig"]["SecurityOpt"] if option.startswith("seccomp=")]
    return cast(dict[str, Any], json.loads(text.removeprefix("seccomp=")))


def test_a_container_starts_with_nothing() -> None:
    made = options()
    host = made["HostConfig"]
    assert made["User"] == "20000:10001"
    assert made["NetworkDisabled"]
    assert host["NetworkMode"] == "none"
    assert host["CapDrop"] == ["ALL"]
    assert host["CapAdd"] == []
    assert not host["Privileged"]
    assert host["ReadonlyRootfs"]
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert host["Binds"] == []
    assert host["Devices"] == []
    assert host["IpcMode"] == "none"
    assert host["LogConfig"] == {"Type": "none"}
    assert "docker.sock" not in json.dumps(made)


def test_a_container_goes_with_its_stream() -> None:
    made = options()
    assert made["StdinOnce"]
    assert made["OpenStdin"]
    assert made["HostConfig"]["AutoRemove"]
    assert made["HostConfig"]["RestartPolicy"] == {"Name": "no"}
    assert made["Labels"] == {"owner": "me"}


def test_limits_are_set_as_asked() -> None:
    host = options(memory_mb=300, cpus=0.5, processes=20, disk_mb=40, open_files=99)["HostConfig"]
    assert host["Memory"] == host["MemorySwap"] == 300 << 20
    assert host["CpuQuota"] / host["CpuPeriod"] == 0.5
    assert host["PidsLimit"] == 20
    ulimits = {each["Name"]: (each["Soft"], each["Hard"]) for each in host["Ulimits"]}
    assert ulimits["nofile"] == (99, 99)
    assert ulimits["fsize"] == (40 << 20, 40 << 20)
    assert ulimits["core"] == (0, 0)


def test_sessions_are_different_users_whose_folders_are_theirs() -> None:
    made = [container_options(Limits(), image="image", folder="/work", number=number) for number in (0, 5, 1029)]
    assert [each["User"] for each in made] == ["20000:10001", "20005:10001", "20005:10001"]
    assert [each["HostConfig"]["Tmpfs"]["/work"].partition(",uid=")[2] for each in made] == [
        "20000,gid=10001",
        "20005,gid=10001",
        "20005,gid=10001",
    ]


def test_every_place_that_can_be_written_has_a_size_and_a_number_of_files() -> None:
    places = options(disk_mb=40)["HostConfig"]["Tmpfs"]
    assert set(places) == {"/work", "/tmp", "/dev/shm"}  # noqa: S108 - inside the container
    assert "size=40m" in places["/work"]
    for place in places.values():
        assert "size=" in place
        assert "nr_inodes=" in place
        assert "nosuid,nodev" in place


def test_dangerous_system_calls_are_not_on_the_list() -> None:
    named = {name for rule in profile()["syscalls"] if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]}
    refused = (
        "ptrace process_vm_readv process_vm_writev kcmp pidfd_getfd keyctl add_key request_key unshare setns mount umount2 "
        "pivot_root chroot bpf perf_event_open userfaultfd io_uring_setup init_module finit_module kexec_load reboot "
        "open_by_handle_at name_to_handle_at quotactl swapon acct syslog clock_settime iopl ioperm"
    )
    assert not named & set(refused.split())
    assert profile()["defaultAction"] == "SCMP_ACT_ERRNO"


def test_some_calls_are_allowed_in_their_harmless_form_only() -> None:
    rules = [rule for rule in profile()["syscalls"] if rule["names"] in (["socket"], ["clone"], ["prlimit64"])]
    families = {rule["args"][0]["value"] for rule in rules if rule["names"] == ["socket"]}
    assert families == {1, 2, 10, 16}
    assert all("args" in rule for rule in rules)


def test_a_runtime_is_passed_on() -> None:
    made = container_options(Limits(), image="i", folder="/w", runtime="runsc")
    assert made["HostConfig"]["Runtime"] == "runsc"


def test_gvisor_gets_tasks_for_itself_and_nobody_else_does() -> None:
    limits = {
        runtime: container_options(Limits(processes=64), image="i", folder="/w", runtime=runtime)["HostConfig"][
            "PidsLimit"
        ]
        for runtime in (None, "crun", "runsc")
    }
    assert limits == {None: 64, "crun": 64, "runsc": 576}


def test_bounds_name_the_limit_and_the_setting() -> None:
    with pytest.raises(BadRequest, match=r"memory_mb must be between 64 and 2048 \(sandbox.most.memory_mb\)"):
        Bounds().checked(Limits(memory_mb=4096))
    for number in (10**400, -(10**400), float("nan"), float("inf")):
        with pytest.raises(BadRequest, match="memory_mb must be between"):
            Bounds().checked(Limits(memory_mb=number))  # type: ignore[arg-type]
    assert Bounds().checked(None) == Limits()
