-- Pairs each value of the baseline with that of each other cell for the same unit (see unit_values).
-- value, change: NULL if the cell has no comparable value. failed: the value is missing because the image failed or, for a
-- prompt's set, because one of its images failed, so that the set has no value or too few images.
-- Joins use equal keys only (hence `image` and `set`): with any other condition DuckDB pairs all units of a cell with each
-- other.
CREATE OR REPLACE VIEW unit_changes AS
WITH
known AS MATERIALIZED (FROM unit_values),
expected AS MATERIALIZED (
    SELECT
        base.run_id, cells.cell, base.metric, base.kind, base.unit, base.prompt_id, base.value AS baseline,
        base.comparability,
        CASE WHEN base.kind <> 'prompt' THEN base.unit END AS image,
        CASE WHEN base.kind = 'prompt' THEN base.unit END AS "set"
    FROM known AS base
    JOIN runs ON runs.run_id = base.run_id AND runs.baseline = base.cell
    JOIN cells ON cells.run_id = base.run_id
    WHERE cells.cell <> base.cell
),
incomplete AS (
    SELECT DISTINCT run_id, cell, prompt_id FROM samples WHERE status <> 'ok'
)
SELECT
    e.run_id, e.cell, e.metric, e.kind, e.unit, e.prompt_id,
    e.baseline, knob.value, knob.value - e.baseline AS change,
    coalesce(made.status <> 'ok', false) OR (incomplete.prompt_id IS NOT NULL AND knob.value IS NULL) AS failed
FROM expected AS e
LEFT JOIN known AS knob
    ON knob.run_id = e.run_id AND knob.cell = e.cell AND knob.metric = e.metric AND knob.kind = e.kind
    AND knob.unit = e.unit AND knob.comparability = e.comparability
LEFT JOIN samples AS made ON made.run_id = e.run_id AND made.cell = e.cell AND made.pair_id = e.image
LEFT JOIN incomplete
    ON incomplete.run_id = e.run_id AND incomplete.cell = e.cell AND incomplete.prompt_id = e."set";
