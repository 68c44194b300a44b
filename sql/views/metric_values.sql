-- One row per sample and metric of an image. `value`: the score, NULL with a reason if it could not be computed;
-- `status`: that of the sample. Queries take means over samples with status ok, and count the others.
-- comparability: the scorer, its version and package; only values of one key are comparable.
CREATE OR REPLACE VIEW metric_values AS
SELECT
    scores.run_id, scores.cell, samples.prompt_id, samples.seed, samples.pair_id, samples.sample_id,
    samples.status, scores.metric, scores.value, scores.reason,
    scorer_key(scores.scorer, scores.scorer_version, scores.package) AS comparability
FROM samples
JOIN scores USING (run_id, cell, sample_id);
