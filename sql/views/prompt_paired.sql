-- Like `paired`, for metrics of a prompt's set of images: pairs the perturbed cell's set with the baseline's. Only sets of
-- one comparability key are paired (see prompt_metric_values). baseline_n, n: images in each set.
CREATE OR REPLACE VIEW prompt_paired AS
SELECT
    knob.run_id, knob.cell, knob.metric, knob.prompt_id,
    base.value AS baseline, knob.value, knob.value - base.value AS change, base.n AS baseline_n, knob.n
FROM runs
JOIN prompt_metric_values AS base ON base.run_id = runs.run_id AND base.cell = runs.baseline
JOIN prompt_metric_values AS knob
    ON knob.run_id = base.run_id AND knob.prompt_id = base.prompt_id AND knob.metric = base.metric
    AND knob.comparability = base.comparability AND knob.cell <> base.cell
WHERE isfinite(base.value) AND isfinite(knob.value);
