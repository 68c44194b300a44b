"""Every sample is in exactly one shard, and a shard holds whole prompts."""

from hypothesis import given
from hypothesis import strategies as st

from skewbench.tasks.plan import plan_shards, shard_sizes
from skewbench.tasks.prompts import load_prompts
from skewbench.tasks.size import Size
from tests.tasks.experiments import small


@given(prompts=st.integers(1, 12), seeds=st.integers(1, 6), shard=st.integers(1, 20))
def test_shards_cover_samples_once(prompts: int, seeds: int, shard: int) -> None:
    experiment = small(prompts={"source": "scenes", "count": prompts}, seeds=seeds)
    texts = load_prompts(experiment.prompts)
    shards = plan_shards(experiment, texts, "run", Size(64, 64), shard)
    assert [len(s.samples) for s in shards] == shard_sizes(experiment, prompts, shard)
    ids = [sample.sample_id for s in shards for sample in s.samples]
    assert len(ids) == len(set(ids)) == prompts * seeds * 2
    assert len({s.id for s in shards}) == len(shards)
    for s in shards:
        assert len(s.samples) <= max(shard, seeds)
        for prompt in {sample.prompt.id for sample in s.samples}:
            assert sum(sample.prompt.id == prompt for sample in s.samples) == seeds


def test_baseline_and_knob_pair() -> None:
    experiment = small()
    shards = plan_shards(experiment, load_prompts(experiment.prompts), "run", Size(64, 64), 4)
    first, second = ([(s.pair_id, s.noise_seed) for s in shard.samples] for shard in shards)
    assert first == second
