-- A sample's stability by stage: down, mid, up, and all.
-- The plain mean over the sample's branches and over the stage's blocks (all: over all blocks); each block has the same
-- branches. Branches are cond and uncond; the rows of a weak branch of guidance are left out. The session variable `branch`
-- (cond, uncond, weak) selects one: SET VARIABLE branch = 'cond'. Non-finite values of a measure make its mean non-finite.
-- stages_of: the same for some rows of `stability`, given the name of a table expression that holds them.
CREATE OR REPLACE MACRO stages_of(rows) AS TABLE
SELECT
    run_id, cell, any_value(prompt_id) AS prompt_id, any_value(seed) AS seed,
    any_value(pair_id) AS pair_id, sample_id, coalesce(stage, 'all') AS stage,
    avg(COLUMNS(lambda name: list_contains(recorded_columns(), name)))
FROM query_table(rows)
WHERE coalesce(branch = getvariable('branch')::VARCHAR, branch IN ('cond', 'uncond'))
GROUP BY GROUPING SETS ((run_id, cell, sample_id, stage), (run_id, cell, sample_id));
CREATE OR REPLACE VIEW stage_stability AS FROM stages_of('stability');
