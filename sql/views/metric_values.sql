-- A row a sample and metric of an image. `value` as it was scored, NULL with a reason where it could not be had;
-- `status` is the sample's: queries take means over those that are ok, and count the rest.
-- comparability: the scorer and its version; only values of one key are comparable.
CREATE OR REPLACE VIEW metric_values AS
SELECT
    samples.run_id, samples.cell, samples.prompt_id, samples.seed, samples.pair_id, samples.sample_id,
    samples.status, scores.metric, scores.value, scores.reason,
    scores.scorer || ' ' || scores.scorer_version AS comparability
FROM samples
JOIN scores USING (run_id, sample_id);
