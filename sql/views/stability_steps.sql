-- The rows of a recorder with detail = "steps" in long form: one per sample, block, branch and step.
-- step: index of the model call, from 0. Measures are means over heads and columns. Runs that recorded only means have no rows.
-- steps_of: the same for some rows of `stability`, given the name of a table expression that holds them.
CREATE OR REPLACE MACRO steps_of(rows) AS TABLE
SELECT
    run_id, cell, prompt_id, seed, pair_id, sample_id, block, block_name, stage, branch,
    unnest(steps) AS step,
    unnest(COLUMNS('^(.+)_steps$')) AS '\1'
FROM query_table(rows)
WHERE len(coalesce(*COLUMNS('^.+_steps$')));  -- NULL where no measure kept its steps
CREATE OR REPLACE VIEW stability_steps AS FROM steps_of('stability');
