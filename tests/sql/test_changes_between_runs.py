"""The queries run_changes and change_by_alignment, and images by sample."""

from pathlib import Path

import polars as pl
import pytest

from skewbench import sql
from skewbench.eval.statistics import paired_change
from tests import lakes
from tests.lakes import Lake, make


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two builds' runs of the same prompts and noise."""
    make(tmp_path, Lake(prompts=10, images=False))
    monkeypatch.setattr(lakes.Lake, "run_id", property(lambda lake: "toy-z-later"))
    make(tmp_path, Lake(prompts=10, images=False, repair=2.0))
    return tmp_path


def test_runs_are_paired_by_prompt_and_noise(two: Path) -> None:
    connection = sql.connect(two)
    found = sql.query(connection, "run_changes")
    first, second = found["against"][0], found["run_id"][0]
    assert second == "toy-z-later"
    values = connection.sql("FROM paired WHERE cell = 'a1.05-b3' AND metric = 'aesthetic'").pl()
    both = values.filter(run_id=first).join(values.filter(run_id=second), on=["pair_id", "prompt_id"])
    ours = paired_change(both["value"], both["value_right"], both["prompt_id"])
    row = found.row(by_predicate=(pl.col("cell") == "a1.05-b3") & (pl.col("metric") == "aesthetic"), named=True)
    assert (row["n"], row["same_knob"], row["failed"]) == (30, True, 0)
    assert row["change"] == pytest.approx(ours.change, abs=1e-12)
    assert row["high"] - row["low"] == pytest.approx((ours.high - ours.low) * 1.959964 / 2.2622, rel=1e-4)
    assert {"alignment", "diversity"} <= set(found["metric"])
    turned = sql.query(connection, "run_changes", run=first, against=second)
    back = turned.row(by_predicate=(pl.col("cell") == "a1.05-b3") & (pl.col("metric") == "aesthetic"), named=True)
    assert back["change"] == pytest.approx(-row["change"])


def test_one_run_has_nothing_to_compare(tmp_path: Path) -> None:
    make(tmp_path, Lake(images=False))
    assert sql.query(sql.connect(tmp_path), "run_changes").is_empty()


def test_change_beside_the_baselines_alignment(tmp_path: Path) -> None:
    make(tmp_path, Lake(images=False))
    connection = sql.connect(tmp_path)
    found = sql.query(connection, "change_by_alignment").filter(cell="a1.05-b3")
    align = connection.sql(
        "SELECT pair_id, avg(alignment) AS a FROM stability WHERE cell = 'baseline' GROUP BY ALL"
    ).pl()
    joined = found.join(align, on="pair_id")
    assert (found.height, set(found["metric"])) == (24, {"aesthetic"})
    assert joined["alignment"].to_numpy() == pytest.approx(joined["a"].to_numpy())
    assert set(sql.query(connection, "change_by_alignment", metric="scene")["metric"]) == {"scene"}


def test_images_by_sample(tmp_path: Path) -> None:
    run_id = make(tmp_path, Lake())
    connection = sql.connect(tmp_path)
    rows = connection.sql("SELECT sample_id, image.bytes FROM images ORDER BY 1 LIMIT 5").fetchall()
    found = sql.encoded_images(tmp_path, run_id, [row[0] for row in rows])
    assert found == dict(rows)
    assert sql.encoded_images(tmp_path, run_id, ["none"]) == {}
    for part in (tmp_path / "images").rglob("*.parquet"):
        part.write_bytes(b"broken")
    with pytest.raises(sql.LakeError, match="is not a Parquet file"):
        sql.encoded_images(tmp_path, run_id, ["none"])


def test_row_groups_without_a_wanted_image_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow.parquet as pq

    run_id = make(tmp_path, Lake(prompts=50, seeds=5, shards=1, blocks=3, steps=0, lost=False))  # 3 parts of 3 groups
    read: list[str] = []
    plain = pq.ParquetFile.read_row_group

    def counted(self: pq.ParquetFile, group: int, columns: list[str]) -> object:
        read.extend(columns)
        return plain(self, group, columns=columns)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", counted)
    (wanted,) = sql.connect(tmp_path).sql("SELECT sample_id FROM samples WHERE cell = 'baseline' LIMIT 1").fetchone()
    assert set(sql.encoded_images(tmp_path, run_id, [wanted])) == {wanted}
    assert read.count("image.bytes") == 1
    assert 1 <= read.count("sample_id") <= 9


def test_parts_are_checked_and_searched_once_however_often_files_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow.parquet as pq

    run_id = make(tmp_path, Lake(prompts=4, seeds=2, shards=2, blocks=3, steps=0, lost=False))
    ids = [sample_id for (sample_id,) in sql.connect(tmp_path).sql("SELECT sample_id FROM images").fetchall()]
    expected = sql.encoded_files(tmp_path, run_id, ids, "images", ("image",))
    footers, searched = [], []
    plain_footer, plain_group = pq.read_metadata, pq.ParquetFile.read_row_group

    def counted_footer(file: object) -> pq.FileMetaData:
        footers.append(file)
        return plain_footer(file)

    def counted_group(self: pq.ParquetFile, group: int, columns: list[str]) -> object:
        searched.extend([group] if columns == ["sample_id"] else [])
        return plain_group(self, group, columns=columns)

    monkeypatch.setattr(pq, "read_metadata", counted_footer)
    monkeypatch.setattr(pq.ParquetFile, "read_row_group", counted_group)
    files = sql.SampleFiles(tmp_path, run_id, "images", ("image",))
    found = {sample_id: row for one in [*ids, "none"] for sample_id, row in files.read([one]).items()}
    assert found == expected
    assert len(found) == len(ids) == 24
    assert len(footers) == 6 + 6  # of images, and of samples for the largest size
    assert len(searched) == 6
