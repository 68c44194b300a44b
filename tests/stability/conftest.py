"""Shapes are checked wherever these tests go: in the modules that compute. (Settings answer for themselves.)"""

from jaxtyping import install_import_hook

CHECKED = [f"stability.{name}" for name in ("measures", "retrieval", "control", "attention")]
install_import_hook(CHECKED, "beartype.beartype")
