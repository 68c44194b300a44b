-- The two metrics that stand for fidelity (of an image) and for diversity (of a set of images) in each run.
-- role: fidelity, diversity. Session variables fidelity and diversity name others; by default the metric of the lowest rank
-- that the run has (see metric_declarations), else any, one with a better side before one without. A metric of a prompt's
-- images, which has an interval, comes before one of a cell's.
CREATE OR REPLACE VIEW main_metrics AS
WITH candidates AS (
    SELECT
        run_id, metric, kind, higher_is_better, rank,
        CASE kind WHEN 'sample' THEN 'fidelity' ELSE 'diversity' END AS role,
        CASE kind
            WHEN 'sample' THEN getvariable('fidelity')::VARCHAR ELSE getvariable('diversity')::VARCHAR END AS asked
    FROM metrics
)
SELECT run_id, role, metric, kind, higher_is_better
FROM candidates
WHERE asked IS NULL OR metric = asked
QUALIFY row_number() OVER (
    PARTITION BY run_id, role ORDER BY kind DESC, rank NULLS LAST, higher_is_better IS NULL, metric
) = 1;
