-- The declarations of each run's metrics in its manifest, written when the run was scored; for older runs, those of
-- metrics_before_declarations. Undeclared metrics are left out.
-- label, meaning: text for reports. better: the better side, higher, lower or neither. low, high: bounds of the values,
-- NULL for none. grows_with_n: the value grows with the samples in the set. rank: place in the order in which metrics stand for
-- fidelity or diversity, lowest first. may_be_absent: an image can leave nothing to measure.
CREATE OR REPLACE VIEW metric_declarations AS
WITH declared AS (
    SELECT run_declarations.run_id, declared_metrics.* EXCLUDE (declarations)
    FROM run_declarations JOIN declared_metrics USING (declarations)
)
FROM declared
UNION ALL BY NAME
SELECT runs.run_id, old.* FROM runs CROSS JOIN metrics_before_declarations AS old
ANTI JOIN declared ON declared.run_id = runs.run_id AND declared.metric = old.metric;
