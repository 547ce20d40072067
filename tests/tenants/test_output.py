"""A file has its name only when it is whole."""

from pathlib import Path

import pytest

from shared_apps.tenants.exports.output import whole_file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kita.zip"


def names(path: Path) -> list[str]:
    return sorted(each.name for each in path.parent.iterdir())


def test_it_has_its_name_at_the_end(path: Path) -> None:
    with whole_file(path) as file:
        file.write(b"all")
        assert names(path) == ["kita.zip.part"]
    assert path.read_bytes() == b"all"
    assert path.stat().st_mode & 0o777 == 0o600
    assert names(path) == ["kita.zip"]


def test_a_block_that_fails_leaves_nothing(path: Path) -> None:
    with pytest.raises(RuntimeError), whole_file(path) as file:
        file.write(b"half")
        raise RuntimeError
    assert names(path) == []


def test_what_a_killed_process_left_is_begun_anew(path: Path) -> None:
    Path(f"{path}.part").write_bytes(b"a longer half")
    with whole_file(path) as file:
        file.write(b"all")
    assert path.read_bytes() == b"all"
    assert names(path) == ["kita.zip"]


def test_a_file_that_is_there_stays_as_it_is(path: Path) -> None:
    path.write_bytes(b"precious")
    with pytest.raises(FileExistsError), whole_file(path):
        pytest.fail("it began")
    assert path.read_bytes() == b"precious"
    assert names(path) == ["kita.zip"]


def test_two_at_once_do_not_write_one_file(path: Path) -> None:
    with whole_file(path) as file:
        file.write(b"first")
        with pytest.raises(BlockingIOError, match="another process"), whole_file(path):
            pytest.fail("both began")
    assert path.read_bytes() == b"first"
