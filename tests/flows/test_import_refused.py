"""`skewbench import` names and counts what it cannot use, and leaves nothing half done."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

from skewbench.storage.manifest import find_run, read_manifest
from skewbench.storage.store import LocalStore
from skewbench.tasks.imports import write
from tests.flows.importing import Command, folder_of_images, noise, rows


def test_what_cannot_be_used_is_named_and_counted(command: Command) -> None:
    folder = folder_of_images(Path("a"))
    (folder / "a_red_cup-20.png").write_bytes(b"no image")
    (folder / "a_red_cup-21.png").write_bytes((folder / "a_red_cup-7.png").read_bytes()[:150])
    Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8) * 900).save(folder / "a_red_cup-22.png")
    Image.new("RGB", (8, 8), "red").save(folder / "a_red_cup-23.png")
    clear = noise(30).convert("RGBA")
    clear.putalpha(100)
    clear.save(folder / "a_red_cup-24.png")
    noise(31).save(folder / "a_red_cup-25.gif")
    noise(32).save(folder / "a_red_cup-007.png")
    noise(33).save(folder / "cup.png")
    noise(34).save(folder / "a_red_cup-99999999999999999999.png")
    (folder / "notes.txt").write_text("mine")
    (folder / "gone.png").symlink_to("nowhere.png")
    noise(35).convert("L").save(folder / "a_red_cup-26.png")
    done = command("import", "a", "--cell", "a", "--pattern", "{prompt}-{seed}")
    assert done.returncode == 0, done.stderr
    left_out, unusable = done.stderr.split("note: cell a: ")[1:3]
    assert left_out.startswith("6 not imported: ")
    for reason in (
        "2 × does not have the extension of an image: a_red_cup-25.gif, notes.txt",
        "1 × is a broken link: gone.png",
        "1 × does not match the pattern: cup.png",
        "1 × has the seed '99999999999999999999', which is not a 64-bit integer",
        "1 × has the prompt and seed of an earlier image: a_red_cup-7.png",
    ):
        assert reason in left_out
    assert unusable.startswith("5 imported as samples without a usable image: ")
    status = dict(rows("SELECT source, status || ': ' || reason FROM samples WHERE status <> 'ok'"))
    assert status.pop("a_red_cup-21.png").startswith("failed: is a damaged image (")
    assert status == {
        "a_red_cup-20.png": "failed: is not an image (PNG, JPEG, WebP, TIFF or BMP)",
        "a_red_cup-22.png": "failed: has 16-bit grey pixels; convert it to 8 bits",
        "a_red_cup-23.png": "blank: the image has only one colour",
        "a_red_cup-24.png": "failed: has transparent pixels; save it without an alpha channel",
    }
    assert rows("SELECT count(*), count(i.sample_id) FROM samples s LEFT JOIN images i USING (sample_id)") == [(10, 6)]
    assert left_out.split(": ", 1)[1].strip() == find_run(LocalStore("lake"), None).identity["left_out"]["a"]


def test_rows_and_files_that_do_not_fit_each_other(command: Command) -> None:
    folder = folder_of_images(Path("a"))
    (folder / "x").mkdir()
    for place in (folder, folder / "x"):
        noise(40 + len(str(place))).save(place / "same.png")
    with open("t.csv", "w") as file:
        file.write(
            "file_name,prompt,seed\nb/../a/same.png,c,1\nsame.png,c,1\ntwo_owls-7.png,two owls,7\n"
            "two_owls-7.png,owls,7\n"
        )
        file.write("two_owls-11.png,two owls,\na_red_cup-7.png,,7\n")
    (folder / "metadata.csv").write_text(Path("t.csv").read_text())
    done = command("import", "a", "--cell", "a")
    assert done.returncode == 0, done.stderr
    assert "1 × has 2 rows in the table: two_owls-7.png" in done.stderr
    assert "1 × has no prompt: a_red_cup-7.png" in done.stderr
    assert "1 × has no row in the table: a_red_cup-11.png" in done.stderr
    assert "1 × is one of 2 files named same.png, but the table names no folder: x/same.png" in done.stderr
    assert "1 × is in the table but is not an image of the source: b/../a/same.png" in done.stderr
    assert "1 images have no noise seed and are not paired" in done.stderr
    assert rows("SELECT source, noise_seed FROM samples ORDER BY ALL") == [("same.png", 1), ("two_owls-11.png", None)]


def test_rows_of_a_shared_table_that_no_source_has_are_named(command: Command) -> None:
    labels = ["file_name,prompt", "a/gone.png,owls"]
    for number, name in enumerate("ab"):
        Path(name).mkdir()
        noise(number).save(f"{name}/x.png")
        labels.append(f"{name}/x.png,owls")
    Path("t.csv").write_text("\n".join(labels))
    done = command("import", "--cell", "a=a", "--cell", "b=b", "--table", "t.csv")
    assert (done.returncode, done.stderr.count("is in the table but")) == (0, 1), done.stderr
    assert "1 not imported: 1 × is in the table but is not an image of the source: a/gone.png" in done.stderr


def test_linked_folders_are_followed_once(command: Command) -> None:
    folder_of_images(Path("elsewhere"))
    Path("a").mkdir()
    Path("a/linked").symlink_to(Path("elsewhere").absolute())
    Path("elsewhere/back").symlink_to(Path("a").absolute())
    done = command("import", "a", "--cell", "a", "--pattern", "linked/{prompt}-{seed}")
    assert (done.returncode, rows("SELECT count(*) FROM samples")) == (0, [(4,)]), done.stderr


def test_images_of_several_sizes_need_a_choice(command: Command) -> None:
    folder = folder_of_images(Path("a"))
    noise(60, size=16).save(folder / "a_red_cup-12.png")
    given = ("import", "a", "--cell", "a", "--pattern", "{prompt}-{seed}")
    refused = command(*given)
    assert refused.returncode == 2
    assert "the images have 2 sizes: 8x8 (4), 16x16 (1); a run has one size: choose it with --size" in refused.stderr
    assert not list(Path("lake").glob("*/*"))
    done = command(*given, "--size", "8x8")
    assert (done.returncode, "1 × has 16 x 16 pixels: a_red_cup-12.png" in done.stderr) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a", "--cell", "a"), "nothing to import; 4 × has no prompt: "),
        (("a", "--cell", "a", "--pattern", "{seed}"), "nothing to import; 4 × does not match the pattern"),
        (("empty", "--cell", "a"), "cell 'a': nothing to import; no image found"),
        (("a", "--cell", "a", "--pattern", "{name}"), "{name} is unknown; use {prompt}, {index}, {seed} or *"),
        (("a", "--cell", "a", "--pattern", "{prompt"), "is unknown"),
        (("a", "--cell", "a", "--pattern", "{seed}-{seed}"), "at most once"),
        (("a", "--cell", "a", "--pattern", "{index}"), "give both or neither"),
        (("a", "--cell", "a", "--prompts", "p.txt"), "needs a pattern with {index}"),
        (("a", "--cell", "a", "--table", "no.csv"), "table 'no.csv': No such file or directory"),
        (("a", "--cell", "a", "--table", "t.csv"), "file_column 'file_name': no such column in table 't.csv'"),
        (("a", "--cell", "a", "--table", "t.csv", "--file-column", "f", "--seed-column", "n"), "seed_column 'n': no"),
        (("p.parquet", "--cell", "a"), "has no column of images; its columns are x"),
        (("p.parquet", "--cell", "a", "--image-column", "x"), "image_column 'x'"),
        (("broken.parquet", "--cell", "a"), "not a readable Parquet file"),
        (("t.csv", "--cell", "a"), "is a single file"),
        (("none", "--cell", "a"), "source 'none': no such folder or file"),
        (("a",), "name its cell with one --cell NAME"),
        ((), "name a source and its --cell NAME"),
        (("--cell", "a"), "--cell 'a': needs its source"),
        (("--cell", "a=a", "--cell", "a=empty"), "duplicate name 'a'"),
        (("--cell", "A=a"), "lower-case"),
        (("--cell", "a=a", "--baseline", "b"), "baseline 'b': no such cell; there are a"),
        (("--cell", "a=a", "--size", "8"), "size"),
    ],
)  # fmt: skip
def test_nothing_is_left_where_nothing_is_imported(command: Command, arguments: tuple[str, ...], message: str) -> None:
    folder_of_images(Path("a"))
    Path("empty").mkdir()
    Path("t.csv").write_text("f\nx.png\n")
    pl.DataFrame({"x": ["y"]}).write_parquet("p.parquet")
    Path("broken.parquet").write_bytes(b"PAR1")
    done = command("import", *arguments)
    assert (done.returncode, message in done.stderr) == (2, True), done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not list(Path("lake").glob("*/*"))


def test_an_import_that_was_interrupted_is_resumed(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "ab":
        folder_of_images(Path(name), ord(name))
    given = ("import", "--cell", "a=a", "--cell", "b=b", "--pattern", "{prompt}-{seed}")
    with monkeypatch.context() as patched:
        written = write.write_receipt

        def first_alone(store: Any, receipt: Any) -> Any:
            if receipt.cell == "b":
                raise OSError("No space left on device")
            return written(store, receipt)

        patched.setattr(write, "write_receipt", first_alone)
        assert command(*given).returncode == 1
    store = LocalStore("lake")
    (run_id,) = (path.stem for path in Path("lake/_runs").iterdir())
    first = {path: path.read_bytes() for path in Path("lake/images").rglob("*.parquet")}
    assert [found.status for found in [read_manifest(store, run_id)] if found] == ["running"]
    assert command(*given).returncode == 0
    assert (find_run(store, run_id).status, rows("SELECT count(*) FROM images")) == ("committed", [(8,)])
    kept = {path for path in Path("lake/images").rglob("*.parquet") if first.get(path) == path.read_bytes()}
    assert len(kept) == 1


def test_an_image_that_changes_meanwhile_leaves_no_run(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = folder_of_images(Path("a"))

    def changed(store: Any, plan: Any) -> bool:
        noise(99).save(folder / "two_owls-11.png")
        return False

    monkeypatch.setattr("skewbench.tasks.imports.write.is_imported", changed)
    done = command("import", "a", "--cell", "a", "--pattern", "{prompt}-{seed}")
    assert (done.returncode, "two_owls-11.png changed during the import" in done.stderr) == (1, True)
    assert not [path for path in Path("lake").rglob("*") if path.is_file() and path.parent.name != "_temporary"]
