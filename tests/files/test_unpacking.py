"""Archives that nobody has checked: what is good is unpacked, what is bad is named, and nothing leaves the folder."""

import io
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest

from devops_chatbot.errors import TooLarge, UnsupportedFile
from knowledge.sources.archives import ArchiveLimits, Unpacked, is_archive, unpack

LIMITS = ArchiveLimits(total_mb=40, files=50, ratio=100, file_mb=12)
# Names in the manner of PayloadsAllTheThings (MIT), which the project's security data holds in full.
TRAVERSALS = [
    "../evil", "../../evil", "a/../../evil", "/etc/passwd", "//server/share", "..\\..\\evil", "\\..\\WINDOWS\\win.ini",
    "C:\\evil", "C:/evil", "c:evil/../../x", "./../evil", "a/b/../../../evil", "..", ".", "/", "...//..//evil", "a\nb", "\x7f",
    "x" * 300,
]  # fmt: skip


def zipped(path: Path, members: dict[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo("x")
            info.filename = name
            archive.writestr(info, data, method)
    return path


def tarred(path: Path, members: list[tuple[tarfile.TarInfo, bytes]], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for info, data in members:
            info.size = len(data) if info.isreg() else 0
            archive.addfile(info, io.BytesIO(data))
    return path


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"])
def test_every_kind_is_unpacked(tmp_path: Path, suffix: str) -> None:
    archive = tmp_path / f"docs{suffix.upper()}"
    assert is_archive(archive.name)
    members = {"a.md": b"# A", "deep/er/b.md": b"# B"}
    if suffix == ".zip":
        zipped(archive, members)
    else:
        mode = {".gz": "w:gz", ".tgz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz"}.get(
            Path(archive.name.lower()).suffix, "w"
        )
        tarred(
            archive,
            [(entry("deep", tarfile.DIRTYPE), b""), *((entry(name), data) for name, data in members.items())],
            mode,
        )
    assert unpack(archive, tmp_path / "out", LIMITS) == Unpacked(files=2)
    assert files_in(tmp_path / "out") == members


def test_names_tell_an_archive() -> None:
    assert not is_archive("notes.md")
    assert not is_archive("data.gz")


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_no_name_leads_out(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "deep" / "out"
    names = [*TRAVERSALS, "good.md"]
    if kind == "zip":
        archive = zipped(tmp_path / "a.zip", dict.fromkeys(names, b"x"))
    else:
        archive = tarred(tmp_path / "a.tar", [(entry(name), b"x") for name in names])
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    unpacked = unpack(archive, folder, LIMITS)
    written = {path for path in tmp_path.rglob("*") if path.is_file()} - before
    assert all(path.is_relative_to(folder) for path in written)
    assert (folder / "good.md").read_bytes() == b"x"
    assert unpacked.files == len(written)
    assert len(unpacked.refused) >= 14
    assert all(str(row.reason).startswith("Not taken from the archive: ") for row in unpacked.refused)


def test_links_and_devices_are_refused(tmp_path: Path) -> None:
    archive = tarred(
        tmp_path / "a.tar",
        [
            (entry("link", tarfile.SYMTYPE, "/etc/passwd"), b""),
            (entry("hard", tarfile.LNKTYPE, "../../x"), b""),
            (entry("dir", tarfile.SYMTYPE, "/usr"), b""),
            (entry("dir/inside.md"), b"x"),
            (entry("pipe", tarfile.FIFOTYPE), b""),
            (entry("device", tarfile.CHRTYPE), b""),
        ],
    )
    unpacked = unpack(archive, tmp_path / "out", LIMITS)
    assert [row.name for row in unpacked.refused] == ["link", "hard", "dir", "pipe", "device"]
    assert files_in(tmp_path / "out") == {"dir/inside.md": b"x"}
    assert not (tmp_path / "out" / "dir").is_symlink()


def test_a_link_inside_a_zip_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    unpacked = unpack(tmp_path / "a.zip", tmp_path / "out", LIMITS)
    assert (unpacked.files, unpacked.refused[0].name) == (0, "link")


def test_an_encrypted_member_is_one_refused_row(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "a.zip", {"open.md": b"# A", "locked.md": b"# B"}, method=zipfile.ZIP_STORED)
    data = bytearray(archive.read_bytes())
    for sign, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.rindex(sign) + flags] |= 1
    archive.write_bytes(data)
    unpacked = unpack(archive, tmp_path / "out", LIMITS)
    assert unpacked.files == 1
    assert unpacked.refused[0].name == "locked.md"
    assert "password" in str(unpacked.refused[0].reason)


def test_a_damaged_member_and_an_unknown_method_are_refused_rows(tmp_path: Path) -> None:
    archive = zipped(
        tmp_path / "a.zip", {"good.md": b"# A", "bad.md": b"# B" * 50, "odd.md": b"# C"}, method=zipfile.ZIP_STORED
    )
    data = bytearray(archive.read_bytes())
    data[data.index(b"# B# B")] ^= 0xFF
    data[data.rindex(b"PK\x01\x02") + 10 : data.rindex(b"PK\x01\x02") + 12] = struct.pack("<H", 97)
    archive.write_bytes(data)
    unpacked = unpack(archive, tmp_path / "out", LIMITS)
    assert files_in(tmp_path / "out") == {"good.md": b"# A"}
    assert {row.name for row in unpacked.refused} == {"bad.md", "odd.md"}


def test_an_archive_under_the_name_of_another_kind(tmp_path: Path) -> None:
    archive = tarred(tmp_path / "a.tar", [(entry("a.md"), b"x")], "w:gz")
    assert unpack(archive, tmp_path / "out", LIMITS).files == 1


def test_a_zip_of_an_unknown_version(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "a.zip", {"a.md": b"# A"})
    data = bytearray(archive.read_bytes())
    data[data.index(b"PK\x01\x02") + 6] = 200
    archive.write_bytes(data)
    with pytest.raises(UnsupportedFile, match="zip file version"):
        unpack(archive, tmp_path / "out", LIMITS)


def test_names_in_chinese(tmp_path: Path) -> None:
    name = "运维/磁盘.md"
    archive = zipped(tmp_path / "a.zip", {name.encode("gb18030").decode("cp437"): b"# A"})
    data = archive.read_bytes()  # the file says UTF-8; old programs for Windows do not
    raw = name.encode("gb18030")
    data = data.replace(raw.decode("cp437").encode(), raw)
    assert unpack(tarred(tmp_path / "a.tar", [(entry(name), b"# A")]), tmp_path / "tar", LIMITS).files == 1
    assert files_in(tmp_path / "tar") == {name: b"# A"}
    assert unpack(archive, tmp_path / "zip", LIMITS).files == 1


def test_the_same_name_twice_keeps_the_first(tmp_path: Path) -> None:
    archive = tarred(tmp_path / "a.tar", [(entry("a.md"), b"1"), (entry("a.md"), b"2"), (entry("a.md/b.md"), b"3")])
    unpacked = unpack(archive, tmp_path / "out", LIMITS)
    assert files_in(tmp_path / "out") == {"a.md": b"1"}
    assert len(unpacked.refused) == 2


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_a_bomb_is_stopped(tmp_path: Path, kind: str) -> None:
    zeros = bytes(11 << 20)
    if kind == "zip":
        archive = zipped(tmp_path / "a.zip", {f"{n}.md": zeros for n in range(4)})
    else:
        archive = tarred(tmp_path / "a.tar.gz", [(entry(f"{n}.md"), zeros) for n in range(4)], "w:gz")
    with pytest.raises(TooLarge, match="max_archive_ratio"):
        unpack(archive, tmp_path / "out", LIMITS)
    assert sum(map(len, files_in(tmp_path / "out").values())) < 25 << 20


def test_too_much_in_all_and_one_file_too_large(tmp_path: Path) -> None:
    archive = tarred(tmp_path / "a.tar", [(entry(f"{n}.bin"), bytes(11 << 20)) for n in range(4)])
    with pytest.raises(TooLarge, match="max_upload_mb"):
        unpack(archive, tmp_path / "out", LIMITS)
    archive = zipped(tmp_path / "b.zip", {"large.md": bytes(13 << 20), "small.md": b"x"}, method=zipfile.ZIP_STORED)
    unpacked = unpack(archive, tmp_path / "out2", LIMITS)
    assert files_in(tmp_path / "out2") == {"small.md": b"x"}
    assert "max_file_mb" in str(unpacked.refused[0].reason)


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_too_many_files(tmp_path: Path, kind: str) -> None:
    names = [f"{n}.md" for n in range(60)]
    if kind == "zip":
        archive = zipped(tmp_path / "a.zip", dict.fromkeys(names, b"x"))
    else:
        archive = tarred(tmp_path / "a.tar", [(entry(name), b"x") for name in names])
    with pytest.raises(TooLarge, match="more than 50 files"):
        unpack(archive, tmp_path / "out", LIMITS)


def test_a_hundred_thousand_entries_are_counted_before_they_are_read(tmp_path: Path) -> None:
    name = b"a.md"
    one = b"PK\x01\x02" + bytes(24) + struct.pack("<HHH", len(name), 0, 0) + bytes(12) + name
    table = one * 100_000
    end = b"PK\x05\x06" + bytes(4) + struct.pack("<HHIIH", 0xFFFF, 0xFFFF, len(table), 0, 0)
    path = tmp_path / "a.zip"
    path.write_bytes(table + end)
    with pytest.raises(TooLarge, match="more than 50 files"):
        unpack(path, tmp_path / "out", LIMITS)


def test_a_tar_header_that_would_fill_the_memory(tmp_path: Path) -> None:
    info = entry("x", tarfile.XHDTYPE)
    info.size = 1 << 33
    (tmp_path / "a.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(10240))
    with pytest.raises(UnsupportedFile, match="header is too large"):
        unpack(tmp_path / "a.tar", tmp_path / "out", LIMITS)


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.tar.bz2", "a.tar.xz"])
@pytest.mark.parametrize("data", [b"", b"no archive at all" * 99, b"PK\x03\x04", b"\x1f\x8b\x08\0\0\0\0\0"])
def test_what_is_no_archive(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UnsupportedFile, match=r"Pack it again|unpacked"):
        unpack(tmp_path / name, tmp_path / "out", LIMITS)


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_a_cut_off_archive(tmp_path: Path, kind: str) -> None:
    data = bytes(range(256)) * 400
    if kind == "zip":
        archive = zipped(tmp_path / "a.zip", {"a.md": data, "b.md": data}, method=zipfile.ZIP_STORED)
    else:
        archive = tarred(tmp_path / "a.tar.gz", [(entry("a.md"), data), (entry("b.md"), data)], "w:gz")
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    with pytest.raises(UnsupportedFile, match="broken or cut off"):
        unpack(archive, tmp_path / "out", LIMITS)
