-- The intervals that the analysis made, one a key, for the branch that the session looks at (variable `branch`), where
-- the query depends on it.
-- Queries show one only beside the value that it was made for: the same n, and the same number to rounding.
CREATE OR REPLACE VIEW intervals AS
SELECT
    run_id, query, cell, metric, stage, measure, regime, statistic, value, low, high, n,
    CASE WHEN low IS NOT NULL THEN method END AS method
FROM analysis
WHERE
    query IN ('operating_curve', 'worst_fraction', 'static_effect', 'adaptive_vs_static', 'pareto_front')
    OR branch IS NOT DISTINCT FROM getvariable('branch')::VARCHAR
QUALIFY row_number() OVER (
    PARTITION BY run_id, query, cell, metric, stage, measure, regime, statistic
    ORDER BY n DESC, value, low, high
) = 1;
