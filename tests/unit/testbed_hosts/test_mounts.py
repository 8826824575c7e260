"""Which mounts belong to a folder, from the kernel's own text."""

from __future__ import annotations

from pathlib import Path

from testbed.hosts.mounts import mount_points_below


def test_mounts_below_a_folder_innermost_first(tmp_path: Path) -> None:
    """Neither the folder itself nor a sibling whose name begins alike; a mount on a mount counts twice."""
    run = tmp_path / "testbeds" / "one"
    run.mkdir(parents=True)
    mounts = "".join(
        f"{source} {target} {kind} rw 0 0\n"
        for source, target, kind in [
            ("proc", "/proc", "proc"),
            ("overlay", f"{run}/guests/h1/root", "overlay"),
            ("tmpfs", f"{run}/guests/h1/root/run", "tmpfs"),
            ("tmpfs", f"{run}/guests/h1/root/run", "tmpfs"),
            ("overlay", f"{run}-other/guests/h1/root", "overlay"),
            ("tmpfs", str(run), "tmpfs"),
        ]
    )
    assert mount_points_below(run, mounts) == [
        f"{run}/guests/h1/root/run",
        f"{run}/guests/h1/root/run",
        f"{run}/guests/h1/root",
    ]


def test_kernel_escapes_blanks_and_links_are_followed(tmp_path: Path) -> None:
    """The kernel lists real paths, with octal numbers for what would break its lines."""
    real = tmp_path / "with blank"
    (real / "root").mkdir(parents=True)
    (tmp_path / "link").symlink_to(real)
    escaped = str(real / "root").replace(" ", "\\040")
    assert mount_points_below(tmp_path / "link", f"overlay {escaped} overlay rw 0 0\n") == [str(real / "root")]
