-- The intervals that the analysis made of the parts that the run has now (analysis.parts_digest), one a key, for the branch
-- that the session looks at (variable `branch`), or of values that do not depend on it (branch '*'). Of a run whose samples, measures or scores
-- changed since there are none until it is analysed again; compaction changes none of them.
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
