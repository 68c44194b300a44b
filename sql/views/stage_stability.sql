-- A sample's stability by stage: down, mid, up, and all.
-- The plain mean over the sample's branches and over the stage's blocks (all: over all blocks); each block has the same
-- branches. The session variable `branch` (cond, uncond) asks for one: SET VARIABLE branch = 'cond'. A measure that is
-- not finite stays so.
CREATE OR REPLACE VIEW stage_stability AS
SELECT
    run_id, cell, prompt_id, seed, pair_id, sample_id, coalesce(stage, 'all') AS stage,
    avg(energy) AS energy, avg(instability) AS instability, avg(alignment) AS alignment,
    avg(symmetry) AS symmetry, avg(symmetry_raw) AS symmetry_raw,
    avg(alpha_eff) AS alpha_eff, avg(beta_eff) AS beta_eff
FROM stability
WHERE getvariable('branch')::VARCHAR IS NULL OR branch = getvariable('branch')::VARCHAR
GROUP BY GROUPING SETS (
    (run_id, cell, prompt_id, seed, pair_id, sample_id, stage),
    (run_id, cell, prompt_id, seed, pair_id, sample_id)
);
