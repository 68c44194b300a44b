-- A sample's stability by stage: down, mid, up, and all.
-- The plain mean over the sample's branches, then over the stage's blocks (all: over all blocks). The session variable
-- `branch` (cond, uncond) asks for one branch: SET VARIABLE branch = 'cond'. A measure that is not finite stays so.
-- blocks: how many blocks the mean is over.
CREATE OR REPLACE VIEW stage_stability AS
WITH by_block AS (
    SELECT
        run_id, cell, prompt_id, seed, pair_id, sample_id, stage, block,
        avg(energy) AS energy, avg(instability) AS instability, avg(alignment) AS alignment,
        avg(symmetry) AS symmetry, avg(symmetry_raw) AS symmetry_raw,
        avg(alpha_eff) AS alpha_eff, avg(beta_eff) AS beta_eff
    FROM stability
    WHERE getvariable('branch') IS NULL OR branch = getvariable('branch')
    GROUP BY ALL
)
SELECT
    run_id, cell, prompt_id, seed, pair_id, sample_id, coalesce(stage, 'all') AS stage,
    avg(energy) AS energy, avg(instability) AS instability, avg(alignment) AS alignment,
    avg(symmetry) AS symmetry, avg(symmetry_raw) AS symmetry_raw,
    avg(alpha_eff) AS alpha_eff, avg(beta_eff) AS beta_eff,
    count(*) AS blocks
FROM by_block
GROUP BY GROUPING SETS (
    (run_id, cell, prompt_id, seed, pair_id, sample_id, stage),
    (run_id, cell, prompt_id, seed, pair_id, sample_id)
);
