"""Files appear whole or not at all, and folders that cannot hold them are refused."""

import errno
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mmddas.files import atomic_path, check_folder, keep_other, write_text


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_file_that_cannot_be_finished_leaves_the_old_one(tmp_path):
    path = tmp_path / 'policy.json'
    write_text(path, 'old')
    with pytest.raises(KeyboardInterrupt), atomic_path(path) as temporary:
        temporary.write_text('half of the n')
        raise KeyboardInterrupt
    assert path.read_text() == 'old' and names(tmp_path) == {'policy.json'}


def test_a_full_disk_leaves_the_old_file_and_is_named(tmp_path):
    """A limit on the size of files stands in for it: writing fails half-way, by the system's own error."""
    path = tmp_path / 'policy.json'
    write_text(path, 'old')
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
        with pytest.raises(OSError, match='policy.json') as error:
            write_text(path, 'n' * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert error.value.errno == errno.EFBIG and 'while writing' in str(error.value)
    assert path.read_text() == 'old' and names(tmp_path) == {'policy.json'}


def test_a_process_killed_while_it_writes_leaves_the_old_file(tmp_path):
    path = tmp_path / 'policy.json'
    write_text(path, 'old')
    program = (
        'import os, sys; from mmddas.files import atomic_path\n'
        f'with atomic_path({str(path)!r}) as temporary:\n'
        "    temporary.write_text('half of the n'); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, '-W', 'ignore', '-c', program]).returncode == -9
    assert path.read_text() == 'old'


def test_written_files_have_the_usual_permissions(tmp_path):
    plain, written = tmp_path / 'plain', tmp_path / 'written'
    plain.write_text('')
    write_text(written, '')
    assert written.stat().st_mode == plain.stat().st_mode


def test_a_folder_that_can_be_written_to_is_made_and_left_empty(tmp_path):
    check_folder(tmp_path / 'new' / 'folder', 'The work dir')
    assert names(tmp_path / 'new' / 'folder') == set()


def test_folders_that_cannot_be_written_to_are_refused(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(OSError, match=r'The work dir cannot be written to \(Not a directory\).*file'):
        check_folder(tmp_path / 'file' / 'folder', 'The work dir')
    # Where even the superuser cannot write.
    with pytest.raises(OSError, match='The work dir cannot be written to'):
        check_folder('/proc/self', 'The work dir')


def test_folders_without_room_are_refused(tmp_path):
    with pytest.raises(OSError, match=r'The work dir has \d+ MiB left, and \d+ MiB are needed') as error:
        check_folder(tmp_path, 'The work dir', free_bytes=1 << 60)
    assert error.value.errno == errno.ENOSPC


@pytest.mark.skipif(os.geteuid() == 0, reason='the superuser may write anywhere')
def test_read_only_folders_are_refused(tmp_path):
    (tmp_path / 'folder').mkdir(mode=0o555)
    with pytest.raises(OSError, match=r'cannot be written to \(Permission denied\)'):
        check_folder(tmp_path / 'folder', 'The work dir')


def test_a_file_with_another_text_is_kept_under_a_name_of_its_own(tmp_path):
    path = tmp_path / 'search.py'
    assert keep_other(path, 'one') is None
    for text, kept in (('one', None), ('one', None), ('two', 'search_1.py'), ('three', 'search_2.py')):
        found = keep_other(path, text)
        assert (found and found.name) == kept
        write_text(path, text)
    assert {name: (tmp_path / name).read_text() for name in names(tmp_path)} == {
        'search.py': 'three',
        'search_1.py': 'one',
        'search_2.py': 'two',
    }


def test_a_file_whose_successor_is_not_known_yet_is_kept(tmp_path):
    write_text(tmp_path / 'policy.json', 'one')
    assert keep_other(tmp_path / 'policy.json') == tmp_path / 'policy_1.json' and names(tmp_path) == {'policy_1.json'}
    assert keep_other(tmp_path / 'policy.json') is None


def test_an_error_of_another_file_names_that_file_alone(tmp_path):
    missing = tmp_path / 'missing.json'
    with pytest.raises(FileNotFoundError) as error, atomic_path(tmp_path / 'a.json'), atomic_path(tmp_path / 'b.json'):
        missing.read_text()
    assert error.value.filename == str(missing) and 'while writing' not in str(error.value)
