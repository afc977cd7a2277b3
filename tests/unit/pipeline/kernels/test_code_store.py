"""The files that machine code is kept in: found in every folder, written to the first fit one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.kernels import code_store
from pipeline.kernels.code_store import CodeStore, default_places, sources_digest

NAME = "pipeline.kernels.one.work-0"


@pytest.fixture
def unusable(tmp_path: Path) -> Path:
    """A place where no folder can be made, whoever tries."""
    file = tmp_path / "file"
    file.write_bytes(b"")
    return file / "place"


def test_code_is_read_as_it_was_written(tmp_path):
    CodeStore((tmp_path / "a",), "1").write(NAME, b"code")

    assert CodeStore((tmp_path / "a",), "1").read(NAME) == b"code"


def test_code_of_another_edition_is_not_found(tmp_path):
    CodeStore((tmp_path,), "1").write(NAME, b"code")

    assert CodeStore((tmp_path,), "2").read(NAME) is None


def test_first_place_that_can_be_written_to_is(tmp_path, unusable):
    store = CodeStore((unusable, tmp_path / "b", tmp_path / "c"), "1")

    store.write(NAME, b"code")

    assert (tmp_path / "b" / "1" / NAME).is_file()
    assert not (tmp_path / "c").exists()
    assert store.read(NAME) == b"code"


def test_code_shipped_in_a_later_place_is_found(tmp_path):
    CodeStore((tmp_path / "shipped",), "1").write(NAME, b"code")

    assert CodeStore((tmp_path / "own", tmp_path / "shipped"), "1").read(NAME) == b"code"


def test_without_any_place_nothing_is_kept_and_nothing_raised(unusable):
    for places in ((), (unusable,)):
        store = CodeStore(places, "1")
        store.lock(NAME)
        store.write(NAME, b"code")
        store.unlock(NAME)
        assert store.folder is None
        assert store.read(NAME) is None


@pytest.mark.parametrize("length", [0, 5, 32, 35])
def test_file_that_was_cut_is_none(tmp_path, length):
    """As after a power cut: a file may have its name before it has its content."""
    store = CodeStore((tmp_path,), "1")
    store.write(NAME, b"code")
    file = tmp_path / "1" / NAME
    file.write_bytes(file.read_bytes()[:length])

    assert store.read(NAME) is None


def test_file_with_other_bytes_is_none_and_can_be_written_anew(tmp_path):
    store = CodeStore((tmp_path,), "1")
    store.write(NAME, b"code")
    file = tmp_path / "1" / NAME
    file.write_bytes(file.read_bytes().replace(b"code", b"\0\0\0\0"))
    assert store.read(NAME) is None

    store.write(NAME, b"code")

    assert store.read(NAME) == b"code"


def test_whole_file_is_found_behind_a_torn_one(tmp_path):
    places = (tmp_path / "own", tmp_path / "shipped")
    CodeStore(places[1:], "1").write(NAME, b"code")
    CodeStore(places[:1], "1").write(NAME, b"code")
    (places[0] / "1" / NAME).write_bytes(b"")

    assert CodeStore(places, "1").read(NAME) == b"code"


def test_nothing_is_left_of_code_that_could_not_be_written(tmp_path):
    store = CodeStore((tmp_path,), "1")
    (tmp_path / "1" / NAME).mkdir(parents=True)

    store.write(NAME, b"code")

    assert [path.name for path in (tmp_path / "1").iterdir()] == [NAME]


def test_old_editions_go_when_a_new_one_comes(tmp_path):
    for number in range(8):
        CodeStore((tmp_path,), str(number)).write(NAME, b"code")
        os.utime(tmp_path / str(number), (number, number))

    assert sorted(path.name for path in tmp_path.iterdir()) == ["4", "5", "6", "7"]


def test_process_waits_for_the_one_that_makes_the_same_code(tmp_path):
    """The other process says that it begins, and then gets the lock only with the code there."""
    store = CodeStore((tmp_path,), "1")
    store.lock(NAME)
    code = (
        "import sys; from pathlib import Path; from pipeline.kernels.code_store import CodeStore;"
        "store = CodeStore((Path(sys.argv[1]),), '1'); store.lock('another'); print('begins');"
        f"sys.stdout.flush(); store.lock('{NAME}'); print(store.read('{NAME}'))"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "begins\n"
        store.write(NAME, b"code")
        store.unlock(NAME)
        assert other.stdout.readline() == "b'code'\n"


def test_place_that_the_environment_names_is_the_first(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "users"))

    beside = Path(code_store.__file__).parent / "__pycache__" / "kernels"
    users = tmp_path / "users" / "hounsfield" / "kernels"
    assert default_places() == (tmp_path / "hounsfield", beside, users)


def test_user_without_a_home_has_no_cache_there(monkeypatch):
    """As in a container that runs under any number, without an entry in the passwd file."""

    def no_home(_name: str) -> Path:
        raise RuntimeError

    monkeypatch.setattr("platformdirs.user_cache_path", no_home)
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)

    assert default_places() == (Path(code_store.__file__).parent / "__pycache__" / "kernels",)


def test_digest_changes_with_any_source(tmp_path):
    """A kernel holds those it calls, so a change of one makes all of them stale."""
    (tmp_path / "one.py").write_text("1")
    (tmp_path / "two.py").write_text("2")
    before = sources_digest(tmp_path)
    sources_digest.cache_clear()
    assert sources_digest(tmp_path) == before

    (tmp_path / "two.py").write_text("3")
    sources_digest.cache_clear()

    assert sources_digest(tmp_path) != before
