-- The intervals that the analysis computed from the run's current parts (analysis.parts_digest), one per key, for the
-- session's branch (variable `branch`) or for values that do not depend on it (branch '*'). If the run's samples, measures
-- or scores changed since, it has no intervals until it is analysed again. Compaction does not change them.
CREATE OR REPLACE VIEW intervals AS
SELECT
    run_id, query, cell, metric, stage, measure, regime, statistic, value, low, high, n,
    CASE WHEN low IS NOT NULL THEN method END AS method
FROM analysis
SEMI JOIN runs USING (run_id, parts_digest)
WHERE
    branch IS NOT DISTINCT FROM getvariable('branch')::VARCHAR
    OR branch = '*'
    -- lakes that were analysed before branch was '*' for values that do not depend on it
    OR query IN ('operating_curve', 'worst_fraction', 'pareto_front')
    OR query IN ('static_effect', 'adaptive_vs_static') AND metric <> 'alignment'
QUALIFY row_number() OVER (
    PARTITION BY run_id, query, cell, metric, stage, measure, regime, statistic
    ORDER BY n DESC, value, low, high
) = 1;
