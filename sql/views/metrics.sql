-- The metrics of a run that have a value anywhere in it.
-- kind: sample (a picture), prompt (the pictures of a prompt), cell (all pictures of a cell).
-- worst, best: the worst and best value seen in the run. Distances to a reference set and their errors, and attributes that
-- leaked to another object, are better when lower; sharpness and contrast have no better side, and so no worst or best.
CREATE OR REPLACE VIEW metrics AS
WITH seen AS (
    SELECT run_id, metric, 'sample' AS kind, value FROM scores
    UNION ALL
    SELECT run_id, metric, CASE WHEN prompt_id IS NULL THEN 'cell' ELSE 'prompt' END, value FROM group_scores
)
SELECT
    run_id,
    metric,
    kind,
    CASE WHEN metric NOT IN ('sharpness', 'contrast')
        THEN metric NOT IN ('fid', 'kid', 'kid_error', 'leak') END AS higher_is_better,
    CASE higher_is_better WHEN true THEN min(value) WHEN false THEN max(value) END AS worst,
    CASE higher_is_better WHEN true THEN max(value) WHEN false THEN min(value) END AS best
FROM seen
WHERE isfinite(value)
GROUP BY run_id, metric, kind;
