-- How does the change depend on how stable the baseline was? Each pair's change beside the baseline's Align.
--
-- parameter metric: a metric of a picture; default: the run's main one
-- parameter branch: of Align: cond or uncond; default: the session's, else the mean of both
--
-- Columns: run_id, cell, metric, pair_id, prompt_id, alignment (of the baseline's picture, over all blocks), baseline,
-- change (cell less baseline).
-- Pairs that were scored by different versions are not here.
-- Source: the paper's regimes, without the split in two.
WITH
asked AS (
    SELECT run_id, metric FROM metrics
    WHERE kind = 'sample' AND metric = getvariable('metric')::VARCHAR
    UNION ALL
    SELECT run_id, metric FROM main_metrics
    WHERE role = 'fidelity' AND getvariable('metric')::VARCHAR IS NULL
)
SELECT p.run_id, p.cell, p.metric, p.pair_id, p.prompt_id, a.value AS alignment, p.baseline, p.change
FROM paired AS p
JOIN asked ON asked.run_id = p.run_id AND asked.metric = p.metric
JOIN runs ON runs.run_id = p.run_id
JOIN unit_values AS a
    ON a.run_id = p.run_id AND a.cell = runs.baseline AND a.kind = 'measure' AND a.unit = p.pair_id
JOIN cells AS c ON c.run_id = p.run_id AND c.cell = p.cell
WHERE p.change IS NOT NULL
ORDER BY p.run_id, c.position, p.pair_id;
