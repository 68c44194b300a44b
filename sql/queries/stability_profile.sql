-- Where and when is a model stable? Mean of each measure by block and step, for each cell.
--
-- Rows with step NULL are means over the steps, and are there for every run; rows by step need a recorder that kept
-- the steps (detail "steps" or "heads"). Samples that are not ok, and values that are not finite, are left out.
--
-- parameter branch: cond or uncond; default: the session's, else the mean of both
--
-- Columns: run_id, cell, block (the paper's number), block_name, stage, step (the model's call, from 0), energy,
-- instability, alignment, symmetry, alpha_eff, beta_eff, n (samples).
-- Source: the paper's stages of SDXL; the profile by step is not in it.
WITH
measured AS (
    SELECT
        run_id, cell, sample_id, block, block_name, stage, branch, NULL::SMALLINT AS step,
        energy, instability, alignment, symmetry, alpha_eff, beta_eff
    FROM stability
    UNION ALL
    SELECT
        run_id, cell, sample_id, block, block_name, stage, branch, step,
        energy, instability, alignment, symmetry, alpha_eff, beta_eff
    FROM stability_steps
)
SELECT
    m.run_id, m.cell, m.block, m.block_name, m.stage, m.step,
    avg(energy) FILTER (isfinite(energy)) AS energy,
    avg(instability) FILTER (isfinite(instability)) AS instability,
    avg(alignment) FILTER (isfinite(alignment)) AS alignment,
    avg(symmetry) FILTER (isfinite(symmetry)) AS symmetry,
    avg(alpha_eff) FILTER (isfinite(alpha_eff)) AS alpha_eff,
    avg(beta_eff) FILTER (isfinite(beta_eff)) AS beta_eff,
    count(DISTINCT m.sample_id) AS n
FROM measured AS m
JOIN samples AS s ON s.run_id = m.run_id AND s.sample_id = m.sample_id AND s.status = 'ok'
JOIN cells AS c ON c.run_id = m.run_id AND c.cell = m.cell
WHERE getvariable('branch')::VARCHAR IS NULL OR m.branch = getvariable('branch')::VARCHAR
GROUP BY m.run_id, m.cell, c.position, m.block, m.block_name, m.stage, m.step
ORDER BY m.run_id, c.position, m.block, m.step NULLS FIRST;
