-- The metrics of a run that have a value in it, with their declarations in the run (see metric_declarations).
-- kind: sample (an image), prompt (the images of a prompt), cell (all images of a cell).
-- label: the name in reports; an undeclared metric has its own name. better: the better side, higher, lower or neither
-- (also for an undeclared metric); higher_is_better: the same, NULL for neither.
-- worst, best: the worst and best value in the run, NULL without a better side.
CREATE OR REPLACE VIEW metrics AS
WITH seen AS (
    SELECT run_id, metric, 'sample' AS kind, value FROM scores
    UNION ALL
    SELECT run_id, metric, CASE WHEN prompt_id IS NULL THEN 'cell' ELSE 'prompt' END, value FROM group_scores
),
valued AS (
    SELECT run_id, metric, kind, min(value) AS lowest, max(value) AS highest
    FROM seen WHERE isfinite(value) GROUP BY run_id, metric, kind
)
SELECT
    run_id, metric, kind,
    coalesce(label, metric) AS label, meaning, coalesce(better, 'neither') AS better,
    CASE better WHEN 'higher' THEN true WHEN 'lower' THEN false END AS higher_is_better,
    CASE better WHEN 'higher' THEN lowest WHEN 'lower' THEN highest END AS worst,
    CASE better WHEN 'higher' THEN highest WHEN 'lower' THEN lowest END AS best,
    low, high, coalesce(grows_with_n, false) AS grows_with_n, rank, coalesce(may_be_absent, false) AS may_be_absent
FROM valued LEFT JOIN metric_declarations USING (run_id, metric);
