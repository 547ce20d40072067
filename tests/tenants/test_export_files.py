"""An output file gets its name only when it is complete."""

from pathlib import Path

import pytest

from shared_apps.tenants.exports.files import atomic_output


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kita.zip"


def names(path: Path) -> list[str]:
    return sorted(each.name for each in path.parent.iterdir())


def test_the_file_gets_its_name_when_the_block_ends(path: Path) -> None:
    with atomic_output(path) as file:
        file.write(b"all")
        assert names(path) == ["kita.zip.part"]
    assert path.read_bytes() == b"all"
    assert path.stat().st_mode & 0o777 == 0o600
    assert names(path) == ["kita.zip"]


def test_a_failed_block_leaves_no_file(path: Path) -> None:
    with pytest.raises(RuntimeError), atomic_output(path) as file:
        file.write(b"part")
        raise RuntimeError
    assert names(path) == []


def test_a_part_file_of_a_killed_process_is_overwritten(path: Path) -> None:
    Path(f"{path}.part").write_bytes(b"a longer part")
    with atomic_output(path) as file:
        file.write(b"all")
    assert path.read_bytes() == b"all"
    assert names(path) == ["kita.zip"]


def test_an_existing_file_is_not_changed(path: Path) -> None:
    path.write_bytes(b"precious")
    with pytest.raises(FileExistsError), atomic_output(path):
        pytest.fail("the block was entered")
    assert path.read_bytes() == b"precious"
    assert names(path) == ["kita.zip"]


def test_two_processes_cannot_write_the_same_file(path: Path) -> None:
    with atomic_output(path) as file:
        file.write(b"first")
        with pytest.raises(BlockingIOError, match="another process"), atomic_output(path):
            pytest.fail("both blocks were entered")
    assert path.read_bytes() == b"first"
