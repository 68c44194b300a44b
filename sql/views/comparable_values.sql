-- All values by which two runs can be compared, in one long table: one row per cell, value and unit.
-- kind sample: a metric of an image, unit its pair_id; prompt: a metric of a prompt's images, unit the prompt_id;
-- cell: a metric of all of a cell's images; measure: an image's stability by stage (down, mid, up, all), mean over
-- the branches and the stage's blocks; lost: 1 if the image failed, else 0; memory: peak bytes on the device.
-- scorer: the scorer, its version and package. set: the definition of a metric of a set, with the reference of FID and similar metrics; a
-- cell may have a value for each of several references. n: images in the set. Only samples with status ok; values may be
-- non-finite, and those of a set NULL.
CREATE OR REPLACE VIEW comparable_values AS
WITH ok AS (
    SELECT run_id, sample_id FROM samples WHERE status = 'ok'
)
SELECT
    s.run_id, s.cell, 'sample' AS kind, NULL::VARCHAR AS stage, s.metric, s.pair_id AS unit, s.prompt_id, s.value,
    scorer_key(s.scorer, s.scorer_version, s.package) AS scorer, NULL::VARCHAR AS "set", NULL::INTEGER AS n
FROM scores AS s SEMI JOIN ok ON ok.run_id = s.run_id AND ok.sample_id = s.sample_id
WHERE s.value IS NOT NULL
UNION ALL
SELECT
    run_id, cell, CASE WHEN prompt_id IS NULL THEN 'cell' ELSE 'prompt' END, NULL, metric, coalesce(prompt_id, cell),
    coalesce(prompt_id, cell), value, scorer_key(scorer, scorer_version, package), "set", n
FROM group_scores
UNION ALL
SELECT run_id, cell, 'measure', stage, measure, pair_id, prompt_id, value::DOUBLE, NULL, NULL, NULL
FROM (
    UNPIVOT (SELECT s.* FROM stage_stability AS s SEMI JOIN ok ON ok.run_id = s.run_id AND ok.sample_id = s.sample_id)
    ON COLUMNS(lambda name: list_contains(recorded_columns(), name))
    INTO NAME measure VALUE value
)
UNION ALL
SELECT run_id, cell, 'lost', NULL, 'lost', pair_id, prompt_id, (status <> 'ok')::DOUBLE, NULL, NULL, NULL
FROM samples
UNION ALL
SELECT run_id, cell, 'memory', NULL, 'peak_memory', pair_id, prompt_id, peak_memory::DOUBLE, NULL, NULL, NULL
FROM samples WHERE peak_memory IS NOT NULL;
