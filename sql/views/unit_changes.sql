-- Pairs each value of the baseline with that of each other cell for the same unit (see unit_values). One row per unit that has
-- comparable values in both, or that failed in the other cell.
-- failed: the cell has no value (value and change are NULL) because the image failed or, for a prompt's set, because one of its
-- images failed, so that the set has no value or too few images. comparability: of the baseline's value (see unit_values).
-- Only the baseline's values are held in memory; those of the other cells pass by. A filter for a cell reaches the files.
CREATE OR REPLACE VIEW unit_changes AS
WITH
base AS MATERIALIZED (
    SELECT v.run_id, v.cell, v.metric, v.kind, v.unit, v.prompt_id, v.value, v.comparability
    FROM unit_values AS v
    JOIN runs ON runs.run_id = v.run_id AND runs.baseline = v.cell
    WHERE is_a_baseline(v.cell)
),
pairs AS NOT MATERIALIZED (
    SELECT
        base.run_id, knob.cell, base.metric, base.kind, base.unit, base.prompt_id, base.value AS baseline, knob.value,
        knob.value - base.value AS change, false AS failed, base.comparability
    FROM unit_values AS knob
    JOIN base
        ON base.run_id = knob.run_id AND base.metric = knob.metric AND base.kind = knob.kind AND base.unit = knob.unit
        AND base.comparability = knob.comparability
    WHERE knob.cell <> base.cell
),
unusable AS (
    SELECT run_id, cell, prompt_id, pair_id FROM samples WHERE status <> 'ok'
)
FROM pairs
UNION ALL
SELECT
    base.run_id, unusable.cell, base.metric, base.kind, base.unit, base.prompt_id, base.value, NULL, NULL, true,
    base.comparability
FROM unusable
JOIN base ON base.run_id = unusable.run_id AND base.unit = unusable.pair_id
WHERE base.kind <> 'prompt' AND unusable.cell <> base.cell
UNION ALL
SELECT
    base.run_id, incomplete.cell, base.metric, base.kind, base.unit, base.prompt_id, base.value, NULL, NULL, true,
    base.comparability
FROM (SELECT DISTINCT run_id, cell, prompt_id FROM unusable) AS incomplete
JOIN base ON base.run_id = incomplete.run_id AND base.unit = incomplete.prompt_id
ANTI JOIN (FROM pairs WHERE kind = 'prompt') AS had
    ON had.run_id = base.run_id AND had.cell = incomplete.cell AND had.metric = base.metric AND had.unit = base.unit
    AND had.comparability = base.comparability
WHERE base.kind = 'prompt' AND incomplete.cell <> base.cell;
