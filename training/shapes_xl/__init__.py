"""The bundled model `shapes-xl`: a small StableDiffusionXLPipeline trained on rendered scenes."""
