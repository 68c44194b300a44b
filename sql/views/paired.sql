-- One row per perturbed sample and metric of an image, with the baseline's value for the same prompt, seed and size.
-- baseline, value: NULL if that sample failed or has no finite score; change: value - baseline, also NULL if the two were
-- scored by different scorers or versions.
-- baseline_status, status: of the two samples, so that images that the knob destroyed are visible.
CREATE OR REPLACE VIEW paired AS
WITH ok AS (
    SELECT run_id, sample_id, metric, value, comparability FROM metric_values WHERE status = 'ok' AND isfinite(value)
)
SELECT
    knob.run_id, knob.cell, metrics.metric, knob.pair_id, knob.prompt_id, knob.seed, knob.sample_id,
    base.sample_id AS baseline_sample_id,
    base_ok.value AS baseline, knob_ok.value AS value,
    CASE WHEN knob_ok.comparability = base_ok.comparability THEN knob_ok.value - base_ok.value END AS change,
    base.status AS baseline_status, knob.status
FROM runs
JOIN samples AS base ON base.run_id = runs.run_id AND base.cell = runs.baseline
JOIN samples AS knob ON knob.run_id = base.run_id AND knob.pair_id = base.pair_id AND knob.cell <> base.cell
JOIN metrics ON metrics.run_id = runs.run_id AND metrics.kind = 'sample'
LEFT JOIN ok AS base_ok
    ON base_ok.run_id = base.run_id AND base_ok.sample_id = base.sample_id AND base_ok.metric = metrics.metric
LEFT JOIN ok AS knob_ok
    ON knob_ok.run_id = knob.run_id AND knob_ok.sample_id = knob.sample_id AND knob_ok.metric = metrics.metric;
