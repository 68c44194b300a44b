-- The long form of what a recorder with detail = "steps" kept: a row a sample, block, branch and step.
-- step: the model's call, from 0. Measures are means over heads and columns. No rows for runs that kept means alone.
-- steps_of: the same of some of the rows of `stability`, by the name of a table expression that holds them.
CREATE OR REPLACE MACRO steps_of(rows) AS TABLE
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
FROM query_table(rows)
WHERE
    energy_steps IS NOT NULL
    OR instability_steps IS NOT NULL
    OR alignment_steps IS NOT NULL
    OR symmetry_steps IS NOT NULL
    OR symmetry_raw_steps IS NOT NULL
    OR alpha_eff_steps IS NOT NULL
    OR beta_eff_steps IS NOT NULL;
CREATE OR REPLACE VIEW stability_steps AS FROM steps_of('stability');
