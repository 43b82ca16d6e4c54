"""What docs/frameworks.md shows is what the examples do."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[4]
SHOWN = re.compile(r'^\[(\w+\.py)\]\(\.\./services/trainer/python/examples/\1\).*\n+```python\n(.*?)```', re.S | re.M)


def lines(text):
    return [line.strip() for line in text.splitlines() if line.strip()]


def test_every_program_on_the_page_is_a_part_of_an_example_that_the_tests_run_and_at_most_ten_lines():
    page = (ROOT / 'docs/frameworks.md').read_text()
    sections = page.split('\n## ')[1:]
    assert sections
    for section in sections:
        found = SHOWN.search(section)
        assert found is not None, section
        example = lines((ROOT / 'services/trainer/python/examples' / found[1]).read_text())
        shown = lines(found[2])
        assert any(example[at : at + len(shown)] == shown for at in range(len(example))), found[1]
        assert len(shown) <= 10 and (Path(__file__).parent / f'test_{found[1]}').exists()
