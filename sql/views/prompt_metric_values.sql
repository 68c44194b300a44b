-- One row per cell, prompt and metric of the set of a prompt's images (diversity). n: images in the set.
-- comparability: the scorer, its version and package, and n if the value grows with it
-- (metric_declarations.grows_with_n). Only values of one key are comparable. Means over pairs of images are comparable at
-- any n.
CREATE OR REPLACE VIEW prompt_metric_values AS
SELECT
    g.run_id, g.cell, g.prompt_id, g.metric, g.value, g.reason, g."set", g.n,
    concat(scorer_key(g.scorer, g.scorer_version, g.package), CASE WHEN d.grows_with_n THEN ' of ' || g.n END) AS comparability
FROM group_scores AS g
LEFT JOIN metric_declarations AS d ON d.run_id = g.run_id AND d.metric = g.metric
WHERE g.prompt_id IS NOT NULL;
