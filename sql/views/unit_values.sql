-- All values that can be compared between cells, in one long table: one row per cell, metric and unit.
-- kind sample: a metric of an image, unit its pair_id; prompt: a metric of a prompt's images, unit the prompt_id;
-- measure: the image's Align over all blocks, under the metric name alignment. Finite values of samples that are ok.
-- comparability: only values with the same key are comparable (see metric_values, prompt_metric_values).
CREATE OR REPLACE VIEW unit_values AS
SELECT run_id, cell, metric, 'sample' AS kind, pair_id AS unit, prompt_id, value, comparability
FROM metric_values WHERE status = 'ok' AND isfinite(value)
UNION ALL
SELECT run_id, cell, metric, 'prompt', prompt_id, prompt_id, value, comparability
FROM prompt_metric_values WHERE isfinite(value)
UNION ALL
SELECT s.run_id, s.cell, 'alignment', 'measure', s.pair_id, s.prompt_id, s.alignment::DOUBLE, 'recorder'
FROM stage_stability AS s
SEMI JOIN (SELECT run_id, cell, sample_id FROM samples WHERE status = 'ok') AS ok
    ON ok.run_id = s.run_id AND ok.cell = s.cell AND ok.sample_id = s.sample_id
WHERE s.stage = 'all' AND isfinite(s.alignment);
