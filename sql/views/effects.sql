-- The change of each metric and of Align in each cell against the baseline: one row per cell, category and metric.
-- Session variable category: a category of prompts, '*' for each; default: all prompts together, category NULL.
-- baseline, mean, change over the pairs; error: of the change, clustered by prompt (Liang-Zeger, with the factor
-- G / (G - 1)); baseline_sd: the spread of the baseline's values; wins: share of pairs that got better, ties half;
-- failed: pairs whose image failed in the cell, or, for a prompt's set, whose value is missing because an image failed;
-- worst_case: the change if each of these counts as the worst value of the metric in the run. If all failed, change is
-- NULL and worst_case has a value. Metrics without a better side (higher_is_better NULL) have no wins and no worst_case.
CREATE OR REPLACE VIEW effects AS
WITH
requested AS (
    SELECT CASE
        WHEN given IS NULL OR given = '*' OR given IN (SELECT prompt_category FROM samples) THEN given
        ELSE error('category ''' || given || ''': no prompt has it')
    END AS category
    FROM (SELECT getvariable('category')::VARCHAR AS given)
),
categories AS (
    SELECT DISTINCT run_id, prompt_id, CASE WHEN requested.category IS NOT NULL THEN prompt_category END AS category
    FROM samples CROSS JOIN requested
    WHERE requested.category IS NULL OR requested.category IN ('*', prompt_category)
),
pairs AS (
    SELECT
        c.*, k.category,
        CASE WHEN m.higher_is_better IS NOT NULL THEN coalesce(c.change, m.worst - c.baseline) END AS worst_change,
        CASE WHEN c.kind = 'measure' OR m.higher_is_better THEN c.change
            WHEN m.higher_is_better IS false THEN -c.change END AS gain
    FROM unit_changes AS c
    JOIN categories AS k USING (run_id, prompt_id)
    LEFT JOIN metrics AS m ON m.run_id = c.run_id AND m.metric = c.metric AND m.kind = c.kind
    WHERE c.change IS NOT NULL OR c.failed
),
-- one pass over the pairs, for each cell and for each of its prompts
grouped AS (
    SELECT
        run_id, cell, category, metric, kind, prompt_id, grouping(prompt_id) = 1 AS all_prompts,
        avg(baseline) FILTER (change IS NOT NULL) AS baseline, avg(value) AS mean, avg(change) AS change,
        median(change) AS median_change, stddev_samp(baseline) FILTER (change IS NOT NULL) AS baseline_sd,
        avg((sign(gain) + 1) / 2) AS wins,
        count(change) AS n, count(*) FILTER (failed) AS failed,
        avg(worst_change) AS worst_case
    FROM pairs
    GROUP BY GROUPING SETS ((run_id, cell, category, metric, kind), (run_id, cell, category, metric, kind, prompt_id))
),
means AS (SELECT * EXCLUDE (prompt_id, all_prompts) FROM grouped WHERE all_prompts),
-- each prompt's pull on the mean
pulls AS (
    SELECT p.run_id, p.cell, p.category, p.metric, p.kind, p.n * (p.change - m.change) / m.n AS pull
    FROM grouped AS p
    JOIN means AS m
        ON m.run_id = p.run_id AND m.cell = p.cell AND m.metric = p.metric AND m.kind = p.kind
        AND m.category IS NOT DISTINCT FROM p.category
    WHERE NOT p.all_prompts AND p.n > 0
),
errors AS (
    SELECT
        run_id, cell, category, metric, kind, count(*) AS prompts,
        clustered_error(pull, count(*)) AS error
    FROM pulls GROUP BY ALL
)
SELECT m.*, e.error, coalesce(e.prompts, 0) AS prompts
FROM means AS m
LEFT JOIN errors AS e
    ON e.run_id = m.run_id AND e.cell = m.cell AND e.metric = m.metric AND e.kind = m.kind
    AND e.category IS NOT DISTINCT FROM m.category;
