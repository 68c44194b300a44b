-- A row a cell, prompt and metric of the set of a prompt's pictures (diversity). n: the pictures in the set.
-- yardstick: the scorer and its version, and n where the value grows with it: vendi_score is 1 to n. Means over pairs of
-- pictures, as the other diversities are, compare at any n.
CREATE OR REPLACE VIEW prompt_metric_values AS
SELECT
    run_id, cell, prompt_id, metric, value, reason, "set", n,
    concat(scorer, ' ', scorer_version, CASE WHEN metric = 'vendi_score' THEN ' of ' || n END) AS yardstick
FROM group_scores
WHERE prompt_id IS NOT NULL;
