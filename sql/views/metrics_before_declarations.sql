-- Declarations for runs from before manifests contained them. Frozen: metrics are not added here, because a scorer declares
-- its metrics in its own file.
CREATE OR REPLACE VIEW metrics_before_declarations AS
FROM (VALUES
    ('aesthetic', 'Aesthetic', 'predicted rating by people, about 1 to 10', 'higher', NULL, NULL, false, 30, false),
    ('binding', 'Binding', 'share of what the prompt states that the image shows, 0 to 1', 'higher', 0.0, 1.0, false, 10, false),
    ('binding_presence', 'Binding: presence', 'share of the prompt''s objects that are in the image', 'higher', 0.0, 1.0, false, NULL, false),
    ('binding_colour', 'Binding: colour', 'share of the prompt''s colours on the right objects', 'higher', 0.0, 1.0, false, NULL, false),
    ('binding_texture', 'Binding: texture', 'share of the prompt''s textures on the right objects', 'higher', 0.0, 1.0, false, NULL, false),
    ('binding_relation', 'Binding: relation', 'share of the prompt''s spatial relations that hold', 'higher', 0.0, 1.0, false, NULL, false),
    ('leak', 'Leak', 'share of attributes that belong to another object of the prompt; less is better', 'lower', 0.0, 1.0, false, NULL, true),
    ('clip_score', 'CLIPScore', 'similarity of image and prompt', 'higher', -1.0, 1.0, false, 40, false),
    ('clip_score_b32', 'CLIPScore B/32', 'similarity of image and prompt for CLIP ViT-B/32', 'higher', -1.0, 1.0, false, NULL, false),
    ('clip_score_h14', 'CLIPScore H/14', 'similarity of image and prompt for CLIP ViT-H/14', 'higher', -1.0, 1.0, false, NULL, false),
    ('contrast', 'Contrast', 'spread of luminance, 0 to 0.5', 'neither', 0.0, 0.5, false, NULL, false),
    ('fid', 'FID', 'distance of the set of images to a reference set; less is better', 'lower', 0.0, NULL, false, NULL, false),
    ('kid', 'KID', 'distance of the set of images to a reference set; less is better', 'lower', NULL, NULL, false, NULL, false),
    ('kid_error', 'KID''s error', 'standard error of KID', 'lower', 0.0, NULL, false, NULL, false),
    ('precision', 'Precision', 'share of images that are near one of the reference set', 'higher', 0.0, 1.0, false, NULL, false),
    ('recall', 'Recall', 'share of the reference set that is near an image', 'higher', 0.0, 1.0, false, NULL, false),
    ('density', 'Density', 'how many images of the reference set each image is near to, 1 if alike', 'higher', 0.0, NULL, false, NULL, false),
    ('coverage', 'Coverage', 'share of the reference set that has an image near it', 'higher', 0.0, 1.0, false, NULL, false),
    ('hps', 'HPS v2.1', 'predicted preference of people', 'higher', -1.0, 1.0, false, 50, false),
    ('image_reward', 'ImageReward', 'predicted preference of people for this prompt', 'higher', NULL, NULL, false, 20, false),
    ('lpips_diversity', 'LPIPS diversity', 'how unlike each other a prompt''s images look to a network', 'higher', 0.0, NULL, false, 20, false),
    ('msssim_diversity', 'MS-SSIM diversity', 'how unlike each other a prompt''s images are, 0 to 1', 'higher', 0.0, 1.0, false, 10, false),
    ('pickscore', 'PickScore', 'predicted choice of people', 'higher', -100.0, 100.0, false, NULL, false),
    ('shapes_clip_diversity', 'shapes-clip diversity', 'how far apart a prompt''s images are for the bundled CLIP, 0 to n / (n − 1)', 'higher', 0.0, 2.0, false, 30, false),
    ('shapes_clip_score', 'shapes-clip score', 'similarity of image and prompt for the bundled CLIP', 'higher', -1.0, 1.0, false, NULL, false),
    ('sharpness', 'Sharpness', 'variance of the Laplacian; grows with detail and with noise', 'neither', 0.0, NULL, false, NULL, false),
    ('vendi_score', 'Vendi', 'effective number of distinct images of a prompt, 1 to n', 'higher', 1.0, NULL, true, 40, false)
) AS known (metric, label, meaning, better, low, high, grows_with_n, rank, may_be_absent);
