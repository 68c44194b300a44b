-- Does the knob improve unstable samples and leave stable ones unchanged? Paired change by regime.
--
-- unstable: the samples (for diversity: prompts) whose baseline is least stable over all blocks; stable: the most stable
-- ones. difference: unstable minus stable. Changes are paired by prompt, seed and size. A pair is left out of a row if one
-- of its images failed or has no score, if its images were scored by different versions, or if the metric grows with the
-- size of the set (Vendi) and its sets differ in size. failed counts the pairs whose image failed under the knob. If all
-- images of a regime failed, change is NULL and worst_case has a value.
WITH
pairs AS (
    SELECT
        c.run_id, c.cell, c.metric, c.kind, r.measure, r.regime, c.prompt_id, c.baseline, c.change, c.failed,
        CASE WHEN m.higher_is_better IS NOT NULL THEN coalesce(c.change, m.worst - c.baseline) END AS worst_change
    FROM unit_changes AS c
    JOIN baseline_regimes AS r ON r.run_id = c.run_id AND r.kind = c.kind AND r.unit = c.unit
    JOIN metrics AS m ON m.run_id = c.run_id AND m.metric = c.metric AND m.kind = c.kind
    WHERE r.regime IS NOT NULL AND (c.change IS NOT NULL OR c.failed)
),
-- one pass over the pairs, for each regime and for each of its prompts
grouped AS (
    SELECT
        run_id, cell, metric, kind, measure, regime, prompt_id, grouping(prompt_id) = 1 AS all_prompts,
        avg(baseline) FILTER (change IS NOT NULL) AS baseline, avg(change) AS change, count(change) AS n,
        count(*) FILTER (failed) AS failed, avg(worst_change) AS worst_case
    FROM pairs
    GROUP BY GROUPING SETS ((run_id, cell, metric, kind, measure, regime), (run_id, cell, metric, kind, measure, regime, prompt_id))
),
-- each prompt's pull on the mean of a regime, for the clustered standard error (Liang-Zeger)
pulls AS (
    SELECT p.run_id, p.cell, p.metric, p.kind, p.regime, p.prompt_id, p.n * (p.change - r.change) / r.n AS pull
    FROM grouped AS p JOIN grouped AS r USING (run_id, cell, metric, kind, regime)
    WHERE r.all_prompts AND NOT p.all_prompts AND p.n > 0
),
with_prompts AS (SELECT run_id, cell, metric, kind, regime, count(*) AS prompts FROM pulls GROUP BY ALL),
regimes AS (
    SELECT g.* EXCLUDE (prompt_id, all_prompts), coalesce(w.prompts, 0) AS prompts
    FROM grouped AS g LEFT JOIN with_prompts AS w USING (run_id, cell, metric, kind, regime)
    WHERE g.all_prompts
),
signs(shown, regime, sign) AS (
    VALUES
        ('unstable', 'unstable', 1), ('stable', 'stable', 1),
        ('difference', 'unstable', 1), ('difference', 'stable', -1)
),
errors AS (
    SELECT run_id, cell, metric, kind, shown, clustered_error(pull, count(*)) AS error
    FROM (
        SELECT run_id, cell, metric, kind, shown, prompt_id, sum(sign * pull) AS pull
        FROM pulls JOIN signs USING (regime)
        GROUP BY ALL
    )
    GROUP BY ALL
),
-- a difference is known where both of its sides are
answers AS (
    SELECT
        run_id, cell, metric, kind, measure, shown AS regime,
        CASE WHEN count(change) = count(*) THEN sum(sign * baseline) END AS baseline,
        CASE WHEN count(change) = count(*) THEN sum(sign * change) END AS change,
        CASE WHEN count(worst_case) = count(*) THEN sum(sign * worst_case) END AS worst_case,
        sum(n)::BIGINT AS n, min(prompts) AS prompts, sum(failed)::BIGINT AS failed
    FROM regimes JOIN signs USING (regime)
    GROUP BY ALL
    HAVING count(*) = CASE shown WHEN 'difference' THEN 2 ELSE 1 END
)
SELECT
    a.run_id, a.cell, a.metric, a.kind, a.measure, a.regime, a.baseline, a.change,
    coalesce(i.low, a.change - z95() * e.error) AS low,
    coalesce(i.high, a.change + z95() * e.error) AS high,
    coalesce(i.method, CASE WHEN a.change + e.error IS NOT NULL THEN normal_method() END) AS method,
    a.n, a.prompts, a.failed, a.worst_case
FROM answers AS a
JOIN cells AS c USING (run_id, cell)
LEFT JOIN errors AS e
    ON e.run_id = a.run_id AND e.cell = a.cell AND e.metric = a.metric AND e.kind = a.kind AND e.shown = a.regime
    AND a.prompts > 1  -- a regime of one prompt has no error, and neither has a difference from it
LEFT JOIN intervals AS i
    ON i.query = 'regimes' AND i.statistic = 'change' AND i.run_id = a.run_id AND i.cell = a.cell
    AND i.metric = a.metric AND i.measure = a.measure AND i.regime = a.regime
    AND i.n = a.n AND coalesce(getvariable('quantile')::DOUBLE, 0.5) = 0.5  -- the share that the analysis takes
ORDER BY
    a.run_id, c.position, a.kind DESC, a.metric,
    list_position(['unstable', 'stable', 'difference'], a.regime);
