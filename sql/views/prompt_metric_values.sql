-- A row a cell, prompt and metric of the set of a prompt's pictures (diversity). n: the pictures in the set.
CREATE OR REPLACE VIEW prompt_metric_values AS
SELECT run_id, cell, prompt_id, metric, value, reason, "set", n
FROM group_scores
WHERE prompt_id IS NOT NULL;
