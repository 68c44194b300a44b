"""The weights of published metrics: licence and origin. skewbench contains none of them."""

from dataclasses import dataclass

SHARDS = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
"""Files that name the shards of a checkpoint. The first one that a repository has is taken."""


@dataclass(frozen=True)
class Source:
    """Files of one place: a Hugging Face `repository`, or a `url` for the one file there is.

    A `url` that ends in `.zip` is an archive. `files` are then members of it, and nothing else of it is kept.
    `folder`: where they are kept within the folder of the weights, such as `clip/`, if names would collide.
    `sharded`: the source also has a checkpoint of several files, which its index names (`SHARDS`).
    """

    files: tuple[str, ...]
    repository: str = ""
    url: str = ""
    folder: str = ""
    sharded: bool = False

    @property
    def is_archive(self) -> bool:
        """Whether `files` are members of an archive."""
        return self.url.endswith(".zip")


@dataclass(frozen=True)
class Weights:
    """One set of weights.

    `sha256`: of the one file, as far as it is published (a prefix for files that carry it in their name).
    """

    name: str
    sources: tuple[Source, ...]
    licence: str
    megabytes: int
    sha256: str = ""

    @property
    def files(self) -> tuple[str, ...]:
        """Names of all files on this machine."""
        return tuple(f"{source.folder}{file}" for source in self.sources for file in source.files)

    @property
    def variable(self) -> str:
        """Environment variable that names the file, or the folder if there are several files."""
        return "SKEWBENCH_WEIGHTS_" + "".join(c if c.isalnum() else "_" for c in self.name.upper())

    @property
    def origin(self) -> str:
        """The origin of the files, for messages."""
        return ", ".join(source.url or f"hf.co/{source.repository}" for source in self.sources)


_TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt", "special_tokens_map.json")
_AESTHETIC = "sac+logos+ava1-l14-linearMSE.pth"
_ALEXNET = "alexnet-owt-7be5be79.pth"
_DINO = "dino_vitbase16_pretrain.pth"
_INCEPTION = "weights-inception-2015-12-05-6726825d.pth"
_OPEN_CLIP = ("open_clip_model.safetensors",)

WEIGHTS = {
    weights.name: weights
    for weights in (
        Weights("clip-vit-l-14", (Source(_OPEN_CLIP, "timm/vit_large_patch14_clip_224.openai"),), "MIT", 1711),
        Weights("clip-vit-l-14-336", (Source(_OPEN_CLIP, "timm/vit_large_patch14_clip_336.openai"),), "MIT", 1712),
        Weights("clip-vit-b-32", (Source(_OPEN_CLIP, "timm/vit_base_patch32_clip_224.openai"),), "MIT", 605),
        Weights("clip-vit-h-14", (Source(_OPEN_CLIP, "laion/CLIP-ViT-H-14-laion2B-s32B-b79K"),), "MIT", 3945),
        Weights(
            "aesthetic-v2",
            (
                Source(
                    (_AESTHETIC,),
                    url="https://github.com/christophschuhmann/improved-aesthetic-predictor/raw/main/"
                    "sac%2Blogos%2Bava1-l14-linearMSE.pth",
                ),
            ),
            "Apache-2.0",
            4,
            "21dd590f3ccdc646f0d53120778b296013b096a035a2718c9cb0d511bff0f1e0",
        ),
        Weights(
            "pickscore-v1",
            (
                Source(("config.json", "model.safetensors"), "yuvalkirstain/PickScore_v1"),
                Source(("preprocessor_config.json", *_TOKENIZER), "laion/CLIP-ViT-H-14-laion2B-s32B-b79K"),
            ),
            "MIT (code); see the model card",
            3945,
        ),
        Weights("hps-v2.1", (Source(("HPS_v2.1_compressed.pt",), "xswu/HPSv2"),), "Apache-2.0", 1972),
        Weights(
            "image-reward-v1",
            (
                Source(("ImageReward.pt",), "THUDM/ImageReward"),
                Source(("vocab.txt", "tokenizer.json", "tokenizer_config.json"), "google-bert/bert-base-uncased"),
            ),
            "Apache-2.0",
            1792,
        ),
        Weights(
            "clap-htsat-unfused",
            (
                Source(
                    ("config.json", "pytorch_model.bin", "preprocessor_config.json", *_TOKENIZER),
                    "laion/clap-htsat-unfused",
                ),
            ),
            "Apache-2.0",
            615,
        ),
        Weights(
            "alexnet",
            (Source((_ALEXNET,), url=f"https://download.pytorch.org/models/{_ALEXNET}"),),
            "BSD-3-Clause (torchvision)",
            244,
            "7be5be79",
        ),
        Weights(
            "dinov2-vit-l-14",
            (Source(("config.json", "model.safetensors"), "facebook/dinov2-large"),),
            "Apache-2.0",
            1218,
        ),
        Weights(
            "dreamsim-dino-vit-b-16",  # as in the folder that the package dreamsim fills
            (
                Source(
                    (_DINO,),
                    url=f"https://dl.fbaipublicfiles.com/dino/{_DINO.removesuffix('.pth')}/{_DINO}",
                    folder="checkpoints/",
                ),
                Source(
                    tuple(f"dino_vitb16_single_lora/adapter_{file}" for file in ("config.json", "model.safetensors")),
                    url="https://github.com/ssundaram21/dreamsim/releases/download/v0.2.0-checkpoints/"
                    "dreamsim_dino_vitb16_checkpoint.zip",
                ),
            ),
            "MIT; Apache-2.0 (DINO)",
            346,
        ),
        Weights(
            "inception-2015-12-05",
            (
                Source(
                    (_INCEPTION,),
                    url=f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{_INCEPTION}",
                ),
            ),
            "Apache-2.0",
            96,
            "6726825d",
        ),
    )
}

PACKAGES = {"lpips": "metrics", "torch_fidelity": "metrics"}
"""Optional packages that scorers import, and the extra of skewbench that brings each."""


def add(weights: Weights) -> None:
    """Add the weights that a scorer of another package declares.

    Args:
        weights: The row of the catalogue. Adding an equal row again has no effect.

    Raises:
        ValueError: Other weights, or an optional package, have this name.
    """
    if WEIGHTS.setdefault(weights.name, weights) != weights or weights.name in PACKAGES:
        raise ValueError(f"weights {weights.name!r}: the name is already used")
