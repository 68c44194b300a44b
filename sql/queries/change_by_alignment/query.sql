-- How does the change depend on the stability of the baseline? Each pair's change and the baseline's Align.
--
-- Pairs whose images were scored by different versions of a scorer are left out.
WITH
requested AS (
    SELECT run_id, metric FROM metrics
    WHERE kind = 'sample' AND metric = getvariable('metric')::VARCHAR
    UNION ALL
    SELECT run_id, metric FROM main_metrics
    WHERE role = 'fidelity' AND getvariable('metric')::VARCHAR IS NULL
)
SELECT p.run_id, p.cell, p.metric, p.pair_id, p.prompt_id, a.value AS alignment, p.baseline, p.change
FROM paired AS p
JOIN requested ON requested.run_id = p.run_id AND requested.metric = p.metric
JOIN runs ON runs.run_id = p.run_id
JOIN unit_values AS a
    ON a.run_id = p.run_id AND a.cell = runs.baseline AND a.kind = 'measure' AND a.unit = p.pair_id
JOIN cells AS c ON c.run_id = p.run_id AND c.cell = p.cell
WHERE p.change IS NOT NULL
ORDER BY p.run_id, c.position, p.pair_id;
