"""The contract tests of ours run over the knob, family, scorer and query of another package too."""

import re
from pathlib import Path

import pytest

from tests.plugins.conftest import Python

TESTS = Path(__file__).parents[1]
CONTRACTS = {
    "uniform": ("stability/knobs/test_knob_contract.py", r"\(knob: "),
    "LatentConsistencyModelPipeline": ("tasks/families/test_family_contract.py", r"\(family: "),
    "above_median": ("sql/test_query_contract.py", r"\(.*\bname: str"),
    "warmth": ("eval/scorers/test_scorer_contract.py", "a_scorer_declares|scorers_of_samples"),
}
"""What is registered: its contract, and which of its tests are of each that is registered."""


@pytest.fixture(scope="module")
def passed(example: Path, python: Python) -> set[tuple[str, str, str]]:
    """File, test and parameter of all tests that passed, in one process for all contracts."""
    files = [str(TESTS / file) for file, _ in CONTRACTS.values()]
    options = ("-q", "-rA", "-p", "no:cacheprovider", "--rootdir", str(TESTS.parent), "-k", " or ".join(CONTRACTS))
    done = python("-m", "pytest", *options, *files, packages=(example,))
    assert done.returncode == 0, done.stdout
    return set(re.findall(r"^PASSED \S*tests/(\S+)::(test_\w+)\[(\w+)\]", done.stdout, re.MULTILINE))


@pytest.mark.parametrize("name", CONTRACTS)
@pytest.mark.slow
def test_it_keeps_the_contract(passed: set[tuple[str, str, str]], name: str) -> None:
    file, of_each = CONTRACTS[name]
    defined = re.findall(r"^def (test_\w+)(.*)$", (TESTS / file).read_text(encoding="utf-8"), re.MULTILINE)
    contract = {test for test, signature in defined if re.search(of_each, test + signature)}
    assert contract
    assert {test for where, test, parameter in passed if (where, parameter) == (file, name)} == contract
