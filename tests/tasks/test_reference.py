"""Images that a run is compared with: which files of a user's folder count, and as what."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import wavfile

from skewbench.storage.store import LocalStore
from skewbench.tasks.reference import find_reference, samples_of
from skewbench.vocabulary.errors import InputError, RunError


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "lake")


def _png(seed: int = 0) -> bytes:
    buffer = BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def _folder(tmp_path: Path, **images: Image.Image) -> Path:
    folder = tmp_path / "real"
    folder.mkdir()
    for name, image in images.items():
        image.save(folder / f"{name}.tiff")
    return folder


def test_a_reference_is_what_its_images_show(store: LocalStore, tmp_path: Path) -> None:
    """Not what they are called: other content is another reference, and other names are not."""
    folder = _folder(tmp_path)
    (folder / "a.png").write_bytes(_png(seed=1))
    first = find_reference(store, str(folder)).key
    (folder / "a.png").rename(folder / "b.png")
    (folder / "readme.txt").write_text("images")
    assert find_reference(store, str(folder)).key == first
    changed = bytearray(_png(seed=1))
    (folder / "b.png").write_bytes(_png(seed=2)[: len(changed)].ljust(len(changed), b"\0"))
    assert find_reference(store, str(folder)).key != first


def test_linked_folders_of_a_reference_are_read_once(store: LocalStore, tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    (tmp_path / "cats").mkdir()
    (tmp_path / "cats/a.png").write_bytes(_png(seed=1))
    (folder / "b.png").write_bytes(_png(seed=2))
    for name in ("cats", "again"):
        (folder / name).symlink_to(tmp_path / "cats")
    (folder / "loop").symlink_to(folder)
    (folder / "gone").symlink_to(tmp_path / "gone")
    (folder / "itself").symlink_to(folder / "itself")
    assert len(list(samples_of(store, find_reference(store, str(folder))))) == 2


def test_greys_of_16_bits_are_scaled(store: LocalStore, tmp_path: Path) -> None:
    ramp = np.array([[0, 257, 32896, 65535]])
    folder = _folder(tmp_path, ramp=Image.fromarray(ramp.astype(np.uint16)))
    Image.fromarray(ramp.astype(np.uint16)).save(folder / "ramp.png")
    both = list(samples_of(store, find_reference(store, str(folder))))
    for image in both:
        assert image.tolist() == [[[grey] * 3 for grey in (0, 1, 128, 255)]]
    assert len(both) == 2


@pytest.mark.parametrize(("kind", "said"), [(np.float32, "floating-point numbers"), (np.int32, "32-bit integers")])
def test_samples_of_unknown_brightness_are_refused_by_name(
    store: LocalStore, tmp_path: Path, kind: type, said: str
) -> None:
    folder = _folder(tmp_path, deep=Image.fromarray(np.eye(4, dtype=kind)))
    with pytest.raises(InputError, match=rf"{folder}/deep\.tiff: its pixels are {said}"):
        find_reference(store, str(folder))


def _wav(path: Path, levels: np.ndarray, rate: int = 8000) -> Path:
    wavfile.write(path, rate, levels)
    return path


def test_a_folder_of_audio_holds_wav_files_of_any_depth(store: LocalStore, tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    wave = np.sin(np.arange(400) / 5)
    depths = {np.int16: 32767, np.int32: 2**31 - 1, np.float32: 1.0}
    for kind, full in depths.items():
        _wav(folder / f"{kind.__name__}.wav", (wave * full).astype(kind))
    _wav(folder / "uint8.wav", (128 + 127 * wave).astype(np.uint8))
    _wav(folder / "stereo.wav", np.stack([wave, 3 * wave], axis=1).astype(np.float32) / 2)
    (folder / "a.png").write_bytes(_png())
    found = list(samples_of(store, find_reference(store, str(folder), "audio")))
    assert {rate for _, rate in found} == {8000}
    assert len(found) == 5
    for waveform, _ in found:
        np.testing.assert_allclose(waveform, wave, atol=0.01)
    assert len(list(samples_of(store, find_reference(store, str(folder))))) == 1
    for path in folder.glob("*.wav"):
        path.unlink()
    with pytest.raises(InputError, match="no waveforms in this folder"):
        find_reference(store, str(folder), "audio")
    (folder / "a.flac").write_bytes(b"fLaC....")
    with pytest.raises(InputError, match=r"a\.flac: it is FLAC but must be WAV; convert it"):
        find_reference(store, str(folder), "audio")
    (folder / "a.flac").write_bytes(b"RIFF....WAVE")
    with pytest.raises(RunError, match=r"a\.flac is a broken audio file: it is not a readable WAV"):
        list(samples_of(store, find_reference(store, str(folder), "audio")))
    with pytest.raises(InputError, match="no metric compares video with a reference"):
        find_reference(store, str(folder), "video")


def test_a_worker_reads_the_images_that_the_driver_saw(store: LocalStore, tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    (folder / "a.png").write_bytes(_png())
    reference = find_reference(store, str(folder))
    (folder / "a.png").write_bytes(_png(seed=9))
    with pytest.raises(RunError, match=rf"has different images in {folder} than the driver: [0-9a-f]{{8}}, not"):
        list(samples_of(store, reference))
    (folder / "a.png").write_bytes(_png()[:300])
    with pytest.raises(RunError, match=r"a\.png is a broken image"):
        list(samples_of(store, find_reference(store, str(folder))))
    (folder / "a.png").unlink()
    with pytest.raises(RunError, match="no images in this folder"):
        list(samples_of(store, reference))
