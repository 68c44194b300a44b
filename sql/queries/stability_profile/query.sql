-- Where and when is a model stable? Mean of each measure by block and step, for each cell.
--
-- Rows with step NULL are means over the steps; every run has them. Rows by step need a recorder that kept the steps
-- (detail "steps" or "heads"). Failed samples and non-finite values are left out.
WITH
bad AS (SELECT run_id, sample_id FROM samples WHERE status <> 'ok'),
over_steps AS (
    SELECT *, NULL::SMALLINT AS step FROM stability ANTI JOIN bad USING (run_id, sample_id)
),
by_step AS (FROM stability_steps ANTI JOIN bad USING (run_id, sample_id)),
means AS (FROM block_means('over_steps') UNION ALL FROM block_means('by_step'))
SELECT
    m.run_id, m.cell, m.block, m.block_name, m.stage, m.step,
    m.* EXCLUDE (run_id, cell, block, block_name, stage, step)
FROM means AS m
JOIN cells AS c USING (run_id, cell)
ORDER BY m.run_id, c.position, m.block, m.step NULLS FIRST;
