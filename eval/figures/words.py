"""What measures and metrics are called in figures, and what each says in one line."""

MEASURES = {
    "neg_energy": ("−E", "minus the retrieval's energy: how deep in a minimum the block settles"),
    "instability": ("r", "the share of tokens that the block's own field would flip"),
    "alignment": ("Align", "how far the retrieval points along its own field; 1 is a fixed point"),
    "symmetry": ("η", "how symmetric the attention is, from −1 to 1"),
}
"""A measure's symbol in the paper, and what it says."""

_METRICS = {
    "binding": ("Binding", "share of what the prompt states that the picture shows, 0 to 1"),
    "binding_presence": ("Binding: presence", "share of the prompt's objects that are in the picture"),
    "binding_colour": ("Binding: colour", "share of the prompt's colours on the right objects"),
    "binding_texture": ("Binding: texture", "share of the prompt's textures on the right objects"),
    "binding_relation": ("Binding: relation", "share of the prompt's spatial relations that hold"),
    "leak": ("Leak", "share of attributes that belong to another object of the prompt; less is better"),
    "msssim_diversity": ("MS-SSIM diversity", "how unlike each other a prompt's pictures are, 0 to 1"),
    "lpips_diversity": ("LPIPS diversity", "how unlike each other a prompt's pictures look to a network"),
    "shapes_clip_diversity": ("shapes-clip diversity", "how far apart a prompt's pictures are for the bundled CLIP"),
    "vendi_score": ("Vendi", "effective number of distinct pictures"),
    "aesthetic": ("Aesthetic", "predicted rating by people, about 1 to 10"),
    "image_reward": ("ImageReward", "predicted preference of people for this prompt"),
    "clip_score": ("CLIPScore", "similarity of picture and prompt"),
    "shapes_clip_score": ("shapes-clip score", "similarity of picture and prompt for the bundled CLIP"),
    "hps": ("HPS v2.1", "predicted preference of people"),
    "pickscore": ("PickScore", "predicted choice of people"),
    "sharpness": ("Sharpness", "variance of the Laplacian; grows with detail and with noise"),
    "contrast": ("Contrast", "spread of luminance"),
    "alignment": ("Align", "mean over all blocks; no quality of the picture"),
    "fid": ("FID", "distance of the set of pictures to a reference set; less is better"),
    "kid": ("KID", "distance of the set of pictures to a reference set; less is better"),
    "kid_error": ("KID's error", "standard error of KID"),
    "precision": ("Precision", "share of pictures that are near a picture of the reference set"),
    "recall": ("Recall", "share of the reference set that is near a picture"),
    "density": ("Density", "how many pictures of the reference set each picture is near to, 1 where alike"),
    "coverage": ("Coverage", "share of the reference set that has a picture near it"),
}


def metric_label(metric: str) -> str:
    """A metric's name for people; one that is not known here keeps the name it has."""
    return _METRICS[metric][0] if metric in _METRICS else metric.replace("_", " ")


def metric_meaning(metric: str) -> str | None:
    """What a metric says, in one line; None for one that is not known here."""
    return _METRICS[metric][1] if metric in _METRICS else None


def measure_label(measure: str) -> str:
    """A measure's symbol in the paper."""
    return MEASURES[measure][0] if measure in MEASURES else measure
