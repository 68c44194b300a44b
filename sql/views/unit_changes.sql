-- Each value of the baseline beside that of each other cell for the same unit (see unit_values).
-- value, change: NULL where the cell has none; lost: because its picture was not ok.
CREATE OR REPLACE VIEW unit_changes AS
WITH known AS MATERIALIZED (FROM unit_values)
SELECT
    base.run_id, cells.cell, base.metric, base.kind, base.unit, base.prompt_id,
    base.value AS baseline, knob.value, knob.value - base.value AS change,
    coalesce(made.status <> 'ok', false) AS lost
FROM known AS base
JOIN runs ON runs.run_id = base.run_id AND runs.baseline = base.cell
JOIN cells ON cells.run_id = base.run_id AND cells.cell <> base.cell
LEFT JOIN known AS knob
    ON knob.run_id = base.run_id AND knob.cell = cells.cell AND knob.metric = base.metric AND knob.kind = base.kind
    AND knob.unit = base.unit
LEFT JOIN samples AS made
    ON made.run_id = base.run_id AND made.cell = cells.cell AND made.pair_id = base.unit AND base.kind <> 'prompt';
