"""Style and types of all Python in services/."""

import subprocess
import sys
from pathlib import Path

import pytest

SERVICES = Path(__file__).parents[4] / 'services'
PACKAGE = SERVICES / 'trainer' / 'python'


@pytest.mark.parametrize('check', [['ruff', 'check', '--no-cache'], ['ruff', 'format', '--no-cache', '--diff', '-q']])
def test_style(check):
    done = subprocess.run([sys.executable, '-m', *check, SERVICES], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_types():
    arguments = ['--cache-dir', '/dev/null', '--config-file', PACKAGE / 'pyproject.toml']
    done = subprocess.run([sys.executable, '-m', 'mypy', *arguments], cwd=PACKAGE, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_wheel_brings_the_wire_code_and_the_published_schemas(tmp_path):
    install = [
        '-m',
        'pip',
        'install',
        '--quiet',
        '--no-index',
        '--no-build-isolation',
        '--no-deps',
        '--target',
        tmp_path,
        PACKAGE,
    ]
    done = subprocess.run([sys.executable, *install], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    code = (
        'from winnow_wire import records; import winnow_trainer; print(records.PUBLISHED, winnow_trainer.SelectedStream.__name__)'
    )
    isolated = [sys.executable, '-I', '-c', f'import sys; sys.path.insert(0, {str(tmp_path)!r}); {code}']
    printed = subprocess.run(isolated, capture_output=True, text=True, cwd=tmp_path)
    assert printed.stdout.split() == [str(tmp_path / 'winnow_wire' / 'schemas'), 'SelectedStream'], printed.stderr
    published = SERVICES.parent / 'schemas' / 'published'
    assert len(list(published.glob('*.avsc'))) > 10
    for schema in published.glob('*.avsc'):
        assert (tmp_path / 'winnow_wire' / 'schemas' / schema.name).read_bytes() == schema.read_bytes()
