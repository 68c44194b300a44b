"""Parts whose hash is right but whose content is not: each reader names the part, and reads nothing else of it."""

import hashlib
import io
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from skewbench import sql
from skewbench.storage.compact import compact_run
from skewbench.storage.manifest import find_run
from skewbench.storage.parts import read_part
from skewbench.storage.png import BrokenImage, open_png
from skewbench.storage.records import Part
from skewbench.storage.sample_files import check_files
from skewbench.storage.store import LocalStore
from skewbench.storage.verify import check_run
from skewbench.tasks.report import report_run
from skewbench.vocabulary.errors import RunError
from tests.lakes import Lake, make

Change = Callable[[pa.Table], pa.Table]


def _change(lake: Path, table: str, change: Change, counted: bool = True) -> Part:
    """Rewrite the first part of a table. `counted`: its number of rows in the manifest follows."""
    (path,) = (lake / "_runs").glob("*.json")
    manifest = json.loads(path.read_text())
    part = next(part for part in manifest["parts"] if part["table"] == table)
    file = lake / part["path"]
    rows = change(pq.ParquetFile(file).read())
    pq.write_table(rows, file)
    part |= {"bytes": file.stat().st_size, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    part |= {"rows": rows.num_rows} if counted else {}
    path.write_text(json.dumps(manifest))
    return Part(**part)


def _with(name: str, value: object) -> Change:
    """A column in which each value is another one; of its type, if it is NULL."""

    def change(rows: pa.Table) -> pa.Table:
        at = rows.column_names.index(name)
        column = pa.nulls(len(rows), rows.schema.field(at).type) if value is None else pa.array([value] * len(rows))
        return rows.set_column(at, name, column)

    return change


def _without(name: str) -> Change:
    return lambda rows: rows.drop_columns([name])


WRONG: dict[str, tuple[str, Change, str]] = {
    "no ids": ("samples", _without("sample_id"), "has no column sample_id"),
    "no ids of images": ("images", _without("sample_id"), "has no column sample_id"),
    "no images": ("images", _without("image"), "has no column image"),
    "NULL ids": ("samples", _with("sample_id", None), "has NULL in its column sample_id"),
    "NULL pairs": ("samples", _with("pair_id", None), "has NULL in its column pair_id"),
    "NULL ids of images": ("images", _with("sample_id", None), "has NULL in its column sample_id"),
    "texts as energy": ("stability", _with("energy", "x"), "has string in its column energy, not float"),
    "lists as energy": ("stability", _with("energy", [1.0]), "has list<.*> in its column energy, not float"),
    "numbers as steps": ("stability", _with("energy_steps", 1.0), "has double in its column energy_steps, not list"),
    "numbers as text": ("scores", _with("value", "1"), "has string in its column value, not double"),
    "texts as images": ("images", _with("image", "x"), "has string in its column image, not struct"),
    "images without bytes": ("images", _with("image", {"path": "x"}), "has struct<.*> in its column image"),
    "numbers as ids": ("samples", _with("sample_id", 1), "has int64 in its column sample_id, not string"),
}


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    make(tmp_path / "lake", Lake(prompts=2))
    return tmp_path / "lake"


def _read(lake: Path, table: str) -> None:
    """Opening a whole lake reads no part; a query reads those of its tables."""
    with sql.connect(lake) as connection:
        sql.select(connection, "SELECT run_id FROM runs")
        with pytest.raises(sql.LakeError), sql.part_errors(connection):
            connection.execute(f"SELECT * FROM {table}")
        sql.select(connection, f"SELECT * FROM {table}")


def _check_named(lake: Path, part: Part, problem: str) -> None:
    """Each reader names the part, with what is wrong."""
    store = LocalStore(lake)
    run = find_run(store, None)
    named = f"{part.path} {problem}"
    (fault,) = [fault for fault in check_run(store, run) if fault.part]
    for said in (
        lambda: _read(lake, part.table),
        lambda: sql.connect(lake, run.run_id),
        lambda: read_part(store, part),
        lambda: compact_run(store, run),
    ):
        with pytest.raises(sql.LakeError, match=f"^{named}.*; `skewbench verify {run.run_id} --repair`"):
            said()
    with pytest.raises(RunError, match=rf"1 part is broken \({named}"):
        report_run(store, run.run_id)
    assert fault.path == part.path


@pytest.mark.parametrize(("table", "change", "problem"), WRONG.values(), ids=WRONG.keys())
def test_other_columns_than_the_tables(lake: Path, table: str, change: Change, problem: str) -> None:
    _check_named(lake, _change(lake, table, change), problem)


def test_more_rows_than_the_manifest_says(lake: Path) -> None:
    many = _change(lake, "samples", lambda rows: rows.take(pa.array(np.zeros(300_000, np.int64))), counted=False)
    _check_named(lake, many, "has 300000 rows, not 3")


def test_a_part_that_is_gone_or_no_parquet(lake: Path) -> None:
    part = find_run(LocalStore(lake), None).parts[0]
    (lake / part.path).write_bytes(b"PAR1 and nothing else")
    with pytest.raises(sql.LakeError, match=f"{part.path} is not a Parquet file"):
        _read(lake, part.table)
    (lake / part.path).unlink()
    with pytest.raises(sql.LakeError, match=f"{part.path} is missing"):
        sql.connect(lake)


def test_a_column_that_every_schema_had_may_not_be_missing(tmp_path: Path) -> None:
    make(tmp_path, Lake(prompts=2, images=False, drop=("energy",)))
    with pytest.raises(sql.LakeError, match="has no column energy"):
        _read(tmp_path, "stability")


def test_a_damaged_part_gets_no_new_hash_by_compaction(lake: Path) -> None:
    store = LocalStore(lake)
    run = find_run(store, None)
    part = next(part for part in run.parts if part.table == "scores")
    content = bytearray(store.read(part.path))
    content[20] ^= 1
    (lake / part.path).write_bytes(content)
    with pytest.raises(sql.LakeError, match=f"{part.path} has different content"):
        compact_run(store, run)
    assert find_run(store, None).parts == run.parts


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _png(side: int = 8, more: bytes = b"", pixels: bytes | None = None) -> bytes:
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    rows = bytes(side * (1 + 3 * side)) if side <= 64 else b""
    body = zlib.compress(rows) if pixels is None else pixels
    return b"\x89PNG\r\n\x1a\n" + head + more + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _of_kind(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, kind)
    return buffer.getvalue()


BOMB = zlib.compress(bytes(2**26), 9)
IMAGES = {
    "400 megapixels": (_png(20_000), "has 20000 x 20000 pixels, more than the run's images have"),
    "larger than the run": (_png(64), "has 64 x 64 pixels, more than the run's images have"),
    "a text that unpacks to much": (_png(more=_chunk(b"zTXt", b"a\0\0" + BOMB)), "is a damaged PNG"),
    "a profile that unpacks to much": (_png(more=_chunk(b"iCCP", b"a\0\0" + BOMB)), "is a damaged PNG"),
    "many texts": (_png(more=_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(10**6))) * 99), "is a damaged PNG"),
    "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n", "is not a PNG"),
    "TIFF": (_of_kind("TIFF"), "is not a PNG"),
    "JPEG": (_of_kind("JPEG"), "is not a PNG"),
    "a PNG without pixels": (_png()[:33] + _chunk(b"IEND", b""), "is a damaged PNG"),
    "a truncated PNG": (_png(pixels=zlib.compress(bytes(range(200)))[:99])[:-30], "is a damaged PNG"),
    "nothing": (b"", "is not a PNG"),
}


@pytest.mark.parametrize(("content", "problem"), IMAGES.values(), ids=IMAGES.keys())
def test_other_images_than_the_runs(lake: Path, content: bytes, problem: str) -> None:
    part = _change(lake, "images", _with("image", {"bytes": content, "path": "x.png"}))
    run = find_run(LocalStore(lake), None)
    (fault,) = [fault for fault in check_run(LocalStore(lake), run) if fault.part]
    assert (fault.path, fault.problem.startswith(f"has an image that {problem}")) == (part.path, True)
    ids = sql.connect(lake).execute("SELECT sample_id FROM images").pl()["sample_id"].to_list()
    with pytest.raises(sql.LakeError, match=f"{part.path} has an image that {problem}"):
        sql.encoded_images(lake, run.run_id, ids)
    with pytest.raises(BrokenImage, match=problem):
        open_png(content, 4 * 8 * 8)


@pytest.mark.parametrize("name", ["video", "spectrogram", "strip"])
def test_files_of_other_media_are_checked_as_images_are(name: str) -> None:
    """Pictures for people have a size of their own; a sample has the run's."""
    check_files({name: _png(), "audio": b"no PNG", "frames": 3}, 8 * 8)
    with pytest.raises(BrokenImage, match=f"has a {name} that is not a PNG"):
        check_files({name: b"%!PS-Adobe-3.0 EPSF-3.0" + bytes(99)}, 8 * 8)
    large = _png(20_000 if name in ("spectrogram", "strip") else 9)
    with pytest.raises(BrokenImage, match=f"has a {name} that has .* pixels, more than"):
        check_files({name: large}, 8 * 8)


def test_the_report_names_a_part_whose_pixels_cannot_be_unpacked(lake: Path) -> None:
    part = _change(lake, "images", _with("image", {"bytes": _png(pixels=b"no zlib"), "path": "x.png"}))
    run = find_run(LocalStore(lake), None)
    with pytest.raises(RunError, match=rf"1 part is broken \({part.path} has an image that is a damaged PNG"):
        report_run(LocalStore(lake), run.run_id)
