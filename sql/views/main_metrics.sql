-- The two metrics that stand for fidelity (of an image) and for diversity (of a set of images) in each run.
-- role: fidelity, diversity. The session variables fidelity and diversity name them. Default: the run's metric of lowest
-- rank (see metric_declarations), else any metric, preferably one with a better side. A metric of a prompt's images, which
-- has an interval, is preferred to one of a cell's.
CREATE OR REPLACE VIEW main_metrics AS
WITH candidates AS (
    SELECT
        run_id, metric, kind, higher_is_better, rank,
        CASE kind WHEN 'sample' THEN 'fidelity' ELSE 'diversity' END AS role,
        CASE kind
            WHEN 'sample' THEN getvariable('fidelity')::VARCHAR ELSE getvariable('diversity')::VARCHAR END AS requested
    FROM metrics
)
SELECT run_id, role, metric, kind, higher_is_better
FROM candidates
WHERE requested IS NULL OR metric = requested
QUALIFY row_number() OVER (
    PARTITION BY run_id, role ORDER BY kind DESC, rank NULLS LAST, higher_is_better IS NULL, metric
) = 1;
