"""The garbage collector rests within a block, and is as before after it."""

import gc

import pytest

from skewbench.tasks.collection import collection_paused


def test_it_rests_within_the_block() -> None:
    assert gc.isenabled()
    with collection_paused():
        with collection_paused():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_it_works_again_after_an_error() -> None:
    with pytest.raises(ImportError), collection_paused():
        raise ImportError
    assert gc.isenabled()
