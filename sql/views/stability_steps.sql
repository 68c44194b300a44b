-- The long form of what a recorder with detail = "steps" kept: a row a sample, block, branch and step.
-- step: the model's call, from 0. Measures are means over heads and columns. No rows for runs that kept means alone.
CREATE OR REPLACE VIEW stability_steps AS
SELECT
    run_id, cell, prompt_id, seed, pair_id, sample_id, block, block_name, stage, branch,
    unnest(steps) AS step,
    unnest(energy_steps) AS energy,
    unnest(instability_steps) AS instability,
    unnest(alignment_steps) AS alignment,
    unnest(symmetry_steps) AS symmetry,
    unnest(symmetry_raw_steps) AS symmetry_raw,
    unnest(alpha_eff_steps) AS alpha_eff,
    unnest(beta_eff_steps) AS beta_eff
FROM stability
WHERE coalesce(
    len(energy_steps), len(instability_steps), len(alignment_steps), len(symmetry_steps), len(symmetry_raw_steps),
    len(alpha_eff_steps), len(beta_eff_steps)
) IS NOT NULL;
